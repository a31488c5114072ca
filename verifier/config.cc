#include "verifier/config.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/text.h"
#include "golden/yaml_reader.h"
#include "verifier/cluster/cluster_settings.h"
#include "verifier/config_setters.h"
#include "verifier/identity/client_settings.h"
#include "verifier/identity/identity_settings.h"
#include "verifier/secret_file.h"

namespace assay {
namespace {

using std::filesystem::path;

Setter address(ListenAddress& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    const auto parsed = parse_listen_address(value);
    if (!parsed) return fail(FaultId::kConfigInvalid, "write HOST:PORT, such as 127.0.0.1:7443");
    out = *parsed;
    return {};
  };
}

Setter duration(std::chrono::milliseconds& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    const auto parsed = parse_duration(value);
    if (!parsed) return fail(FaultId::kConfigInvalid, "write a duration such as 500ms, 30s or 5m");
    out = *parsed;
    return {};
  };
}

Setter webhooks(std::vector<WebhookSettings>& out, const path& folder) {
  return [&out, folder](const YAML::Node& node) -> Status {
    if (!node.IsSequence()) return fail(FaultId::kConfigInvalid, "has to be a list");
    for (const YAML::Node& item : node) {
      WebhookSettings hook;
      ASSAY_OK(read_mapping(item, "webhooks: ",
                            {{"name", text(hook.name)},
                             {"url", text(hook.url)},
                             {"secret_file", file_path(hook.secret_file, folder)},
                             {"ca_file", file_path(hook.ca_file, folder)}}));
      if (hook.name.empty() || hook.url.empty() || hook.secret_file.empty()) {
        return fail(FaultId::kConfigInvalid,
                    at_line(item) + "webhooks: name, url and secret_file are required");
      }
      const bool taken =
          std::ranges::any_of(out, [&](const auto& other) { return other.name == hook.name; });
      if (taken)
        return fail(FaultId::kConfigInvalid, at_line(item) + "webhooks: name '" +
                                                 shorten(escape_bytes(hook.name), 64) + "' twice");
      out.push_back(std::move(hook));
    }
    return {};
  };
}

Setter signers(std::vector<SignerSettings>& out, const path& folder) {
  return [&out, folder](const YAML::Node& node) -> Status {
    // No rule means that sets need no signature: an empty list looks like the opposite.
    if (node.IsSequence() && node.size() == 0) {
      return fail(FaultId::kConfigInvalid, "golden: signers: name who signs, or leave the key out");
    }
    return read_list(node, [&](const YAML::Node& item) -> Status {
      SignerSettings rule;
      const Setter keys = [&](const YAML::Node& list) {
        return read_list(list, [&](const YAML::Node& key) -> Status {
          return file_path(rule.key_files.emplace_back(), folder)(key);
        });
      };
      ASSAY_OK(read_mapping(
          item, "golden: signers: ",
          {{"names", name_scopes(rule.names)},
           {"keys", keys},
           {"threshold", number<std::size_t>(rule.threshold, 1, kMaxEnvelopeSignatures)}}));
      if (rule.names.empty() || rule.key_files.empty()) {
        return fail(FaultId::kConfigInvalid,
                    at_line(item) + "golden: signers: names and keys are required");
      }
      out.push_back(std::move(rule));
      return {};
    });
  };
}

Setter pushed_state(GoldenState& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    const auto state = golden_state_by_name(value);
    if (state != GoldenState::kApproved && state != GoldenState::kDraft) {
      return fail(FaultId::kConfigInvalid, "write approved or draft");
    }
    out = *state;
    return {};
  };
}

// A duration that may be none.
Setter grace(std::chrono::milliseconds& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    if (value == "0s") {
      out = {};
      return {};
    }
    return duration(out)(node);
  };
}

Status check_complete(const VerifierConfig& config) {
  const std::pair<const char*, const path*> required[] = {
      {"tls.certificate", &config.tls_certificate},
      {"tls.key", &config.tls_key},
      {"operator_token_file", &config.operator_token_file},
  };
  for (const auto& [key, value] : required) {
    if (value->empty()) return fail(FaultId::kConfigInvalid, std::string(key) + " is required");
  }
  return {};
}

Setter kubernetes(std::optional<KubernetesApi>& out, const path& folder) {
  return [&out, folder](const YAML::Node& node) {
    return kubernetes_api(out.emplace(), folder)(node);
  };
}

Result<VerifierConfig> read_config(const path& from) {
  const auto content = read_public_file(from);
  if (!content) {
    return fail(FaultId::kFileUnreadable, "cannot be read; check the path and its permissions");
  }
  ASSAY_TRY(const YAML::Node root, parse_yaml(*content));
  const path folder = from.parent_path();
  VerifierConfig config;
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  std::uint64_t log_mib = config.max_log_bytes / kMiB;
  ASSAY_OK(read_mapping(
      root, "",
      {{"grpc_listen", address(config.grpc_listen)},
       {"http_listen", address(config.http_listen)},
       {"tls", mapping("tls: ", {{"certificate", file_path(config.tls_certificate, folder)},
                                 {"key", file_path(config.tls_key, folder)}})},
       {"database", file_path(config.database, folder)},
       {"operator_token_file", file_path(config.operator_token_file, folder)},
       {"interval", duration(config.interval)},
       {"policy_file", file_path(config.policy_file, folder)},
       {"vendor_roots", file_path(config.vendor_roots, folder)},
       {"limits", mapping("limits: ",
                          {{"log_mib", number<std::uint64_t>(log_mib, 1, 1024)},
                           {"streams", number<std::uint32_t>(config.max_streams, 1, 1'000'000)}})},
       {"golden", mapping("golden: ", {{"signers", signers(config.golden_signers, folder)},
                                       {"identities", identities(config.golden_identities, folder)},
                                       {"clients", clients(config.golden_clients, folder)},
                                       {"pushed", pushed_state(config.golden_pushed)},
                                       {"grace", grace(config.golden_grace)}})},
       {"kubernetes", kubernetes(config.kubernetes, folder)},
       {"webhooks", webhooks(config.webhooks, folder)}}));
  config.max_log_bytes = log_mib * kMiB;
  ASSAY_OK(check_complete(config));
  return config;
}

}  // namespace

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || bracketed != (host.find(':') != std::string_view::npos)) return std::nullopt;
  std::uint16_t port = 0;
  const auto [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc{} || end != port_text.data() + port_text.size()) return std::nullopt;
  return ListenAddress{std::string(host), port};
}

std::string format_listen_address(const ListenAddress& address) {
  const bool bracketed = address.host.find(':') != std::string::npos;
  return (bracketed ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || count <= 0 || count > 1'000'000'000) return std::nullopt;
  const std::string_view unit(end, text.data() + text.size());
  if (unit == "ms") return std::chrono::milliseconds(count);
  if (unit == "s") return std::chrono::seconds(count);
  if (unit == "m") return std::chrono::minutes(count);
  if (unit == "h") return std::chrono::hours(count);
  return std::nullopt;
}

Result<VerifierConfig> load_config(const path& from) {
  auto config = read_config(from);
  if (!config) return fail(config.error().id, from.string() + ": " + config.error().detail);
  return config;
}

}  // namespace assay
