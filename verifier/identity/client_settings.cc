#include "verifier/identity/client_settings.h"

#include <algorithm>

#include "verifier/config_setters.h"

namespace assay {
namespace {

constexpr const char* kWhere = "golden: clients: ";
constexpr const char* kRuleWhere = "golden: clients: rules: ";

tl::unexpected<Fault> invalid(const YAML::Node& node, const std::string& what) {
  return fail(FaultId::kConfigInvalid, at_line(node) + what);
}

bool is_uri(std::string_view text) {
  const std::size_t colon = text.find("://");
  return colon != std::string_view::npos && colon > 0 && colon + 3 < text.size();
}

// A host's name as certificates have it; a pattern is none.
bool is_host(std::string_view text) {
  return !text.starts_with('.') && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

Result<ClientRule> read_rule(const YAML::Node& node) {
  ClientRule rule;
  std::string uri;
  std::string dns;
  ASSAY_OK(read_mapping(node, kRuleWhere,
                        {{"names", name_scopes(rule.names)},
                         {"uri", printable_text(uri)},
                         {"dns", printable_text(dns)}}));
  if (rule.names.empty() || uri.empty() == dns.empty()) {
    return invalid(node, std::string(kRuleWhere) + "names and one of uri and dns are required");
  }
  rule.form = dns.empty() ? ClientRule::Form::kUri : ClientRule::Form::kDns;
  if (dns.empty() && !is_uri(uri)) {
    return invalid(node, std::string(kRuleWhere) + "uri: write it whole: spiffe://example.org/ci");
  }
  if (uri.empty() && !is_host(dns)) {
    return invalid(node, std::string(kRuleWhere) + "dns: write one name, in lower case");
  }
  rule.client = uri + dns;
  return rule;
}

}  // namespace

Setter clients(std::vector<ClientSettings>& out, const std::filesystem::path& folder) {
  return [&out, folder](const YAML::Node& node) {
    return read_list(node, [&](const YAML::Node& item) -> Status {
      ClientSettings authority;
      const Setter rules = [&authority](const YAML::Node& list) {
        return read_list(list, [&authority](const YAML::Node& rule) -> Status {
          ASSAY_TRY(ClientRule read, read_rule(rule));
          authority.rules.push_back(std::move(read));
          return {};
        });
      };
      ASSAY_OK(read_mapping(item, kWhere,
                            {{"ca_file", file_path(authority.ca_file, folder)}, {"rules", rules}}));
      if (authority.ca_file.empty() || authority.rules.empty()) {
        return invalid(item, std::string(kWhere) + "ca_file and rules are required");
      }
      out.push_back(std::move(authority));
      return {};
    });
  };
}

}  // namespace assay
