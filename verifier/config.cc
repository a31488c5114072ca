#include "verifier/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "core/text.h"

namespace assay {
namespace {

using std::filesystem::path;

std::string at_line(const YAML::Node& node) {
  return "line " + std::to_string(node.Mark().line + 1) + ": ";
}

// What may stand under a mapping's key, and what it sets.
using Setter = std::function<Status(const YAML::Node&)>;
using Keys = std::map<std::string, Setter>;

std::string listed(const Keys& keys) {
  std::string out;
  for (const auto& [key, setter] : keys) out += (out.empty() ? "" : ", ") + key;
  return out;
}

Status read_mapping(const YAML::Node& node, const std::string& where, const Keys& keys) {
  if (!node.IsMap()) {
    return fail(FaultId::kConfigInvalid, at_line(node) + where + "has to be a mapping of keys");
  }
  std::set<std::string> seen;
  for (const auto& item : node) {
    if (!item.first.IsScalar()) {
      return fail(FaultId::kConfigInvalid,
                  at_line(item.first) + where + "has a key that is no word");
    }
    const std::string& key = item.first.Scalar();
    const auto known = keys.find(key);
    if (known == keys.end()) {
      return fail(FaultId::kConfigInvalid, at_line(item.first) + where + "unknown key '" +
                                               shorten(escape_bytes(key), 64) + "'; known are " +
                                               listed(keys));
    }
    if (!seen.insert(key).second) {
      return fail(FaultId::kConfigInvalid, at_line(item.first) + where + "key '" + key + "' twice");
    }
    if (Status status = known->second(item.second); !status) {
      return fail(status.error().id,
                  status.error().detail.starts_with("line ")
                      ? status.error().detail
                      : at_line(item.second) + where + key + ": " + status.error().detail);
    }
  }
  return {};
}

Result<std::string> scalar(const YAML::Node& node) {
  if (!node.IsScalar() || node.Scalar().empty()) {
    return fail(FaultId::kConfigInvalid, "has to be one value");
  }
  return node.Scalar();
}

Setter address(ListenAddress& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    const auto parsed = parse_listen_address(value);
    if (!parsed) return fail(FaultId::kConfigInvalid, "write HOST:PORT, such as 127.0.0.1:7443");
    out = *parsed;
    return {};
  };
}

Setter text(std::string& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(out, scalar(node));
    return {};
  };
}

Setter file(path& out, const path& folder) {
  return [&out, folder](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    out = folder / value;  // an absolute path stands as it is
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

Setter flag(bool& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    if (value != "true" && value != "false")
      return fail(FaultId::kConfigInvalid, "write true or false");
    out = value == "true";
    return {};
  };
}

template <typename T>
Setter number(T& out, T smallest, T largest) {
  return [&out, smallest, largest](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    T parsed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (error != std::errc{} || end != value.data() + value.size() || parsed < smallest ||
        parsed > largest) {
      return fail(FaultId::kConfigInvalid, "write a whole number from " + std::to_string(smallest) +
                                               " to " + std::to_string(largest));
    }
    out = parsed;
    return {};
  };
}

Setter bank(HashAlg& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    const auto alg = hash_by_name(value);
    if (!alg) return fail(FaultId::kConfigInvalid, "write sha1, sha256, sha384 or sha512");
    out = *alg;
    return {};
  };
}

Setter mapping(std::string where, Keys keys) {
  return [where = std::move(where), keys = std::move(keys)](const YAML::Node& node) {
    return read_mapping(node, where, keys);
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
                             {"secret_file", file(hook.secret_file, folder)},
                             {"ca_file", file(hook.ca_file, folder)}}));
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

Status check_complete(const VerifierConfig& config) {
  const std::pair<const char*, const path*> required[] = {
      {"tls.certificate", &config.tls_certificate},
      {"tls.key", &config.tls_key},
      {"operator_token_file", &config.operator_token_file},
  };
  for (const auto& [key, value] : required) {
    if (value->empty()) return fail(FaultId::kConfigInvalid, std::string(key) + " is required");
  }
  if (config.bank == HashAlg::kSha1 && !config.allow_sha1) {
    return fail(FaultId::kConfigInvalid, "quote.bank sha1 needs quote.allow_sha1: true");
  }
  return {};
}

// yaml-cpp throws; its exceptions end here.
Result<YAML::Node> load_yaml(const path& from) {
  try {
    return YAML::LoadFile(from);
  } catch (const YAML::BadFile&) {
    return fail(FaultId::kFileUnreadable, "cannot be read; check the path and its permissions");
  } catch (const YAML::Exception& error) {
    return fail(FaultId::kConfigInvalid,
                "line " + std::to_string(error.mark.line + 1) + ": is not YAML: " + error.msg);
  }
}

Result<VerifierConfig> read_config(const path& from) {
  ASSAY_TRY(const YAML::Node root, load_yaml(from));
  const path folder = from.parent_path();
  VerifierConfig config;
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  std::uint64_t log_mib = config.max_log_bytes / kMiB;
  ASSAY_OK(read_mapping(
      root, "",
      {{"grpc_listen", address(config.grpc_listen)},
       {"http_listen", address(config.http_listen)},
       {"tls", mapping("tls: ", {{"certificate", file(config.tls_certificate, folder)},
                                 {"key", file(config.tls_key, folder)}})},
       {"database", file(config.database, folder)},
       {"operator_token_file", file(config.operator_token_file, folder)},
       {"interval", duration(config.interval)},
       {"quote",
        mapping("quote: ", {{"bank", bank(config.bank)}, {"allow_sha1", flag(config.allow_sha1)}})},
       {"limits", mapping("limits: ",
                          {{"log_mib", number<std::uint64_t>(log_mib, 1, 4096)},
                           {"streams", number<std::uint32_t>(config.max_streams, 1, 1'000'000)}})},
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
