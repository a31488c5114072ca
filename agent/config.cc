#include "agent/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <functional>
#include <map>
#include <set>

#include "agent/fd.h"
#include "core/text.h"

namespace assay::agent {
namespace {

using std::filesystem::path;

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxTokenBytes = 256;
constexpr std::uint32_t kFirstOwnerHandle = 0x81000000;
constexpr std::uint32_t kLastOwnerHandle = 0x817fffff;
constexpr std::chrono::milliseconds kShortestPoll{50};
constexpr std::chrono::milliseconds kLongestPoll{3'600'000};

tl::unexpected<Fault> invalid(std::string detail) {
  return fail(FaultId::kConfigInvalid, std::move(detail));
}

std::string at_line(const YAML::Node& node) {
  return "line " + std::to_string(node.Mark().line + 1) + ": ";
}

std::string shown(std::string_view text) {
  std::string out = "'";
  out += shorten(escape_bytes(text), 64);
  out += "'";
  return out;
}

// What may stand under a mapping's key, and what it sets.
using Setter = std::function<Status(const YAML::Node&)>;
using Keys = std::map<std::string, Setter>;

std::string listed(const Keys& keys) {
  std::string out;
  for (const auto& [key, setter] : keys) out += (out.empty() ? "" : ", ") + key;
  return out;
}

// `where` names the mapping in messages: "ak: ", or nothing for the file itself.
Status read_mapping(const YAML::Node& node, const std::string& where, const Keys& keys) {
  if (!node.IsMap())
    return invalid(at_line(node) + where + "write keys, one a line: " + listed(keys));
  std::set<std::string> seen;
  for (const auto& item : node) {
    const std::string key = item.first.IsScalar() ? item.first.Scalar() : "";
    const auto known = keys.find(key);
    if (known == keys.end()) {
      return invalid(at_line(item.first) + where + "unknown key " + shown(key) + "; known are " +
                     listed(keys));
    }
    if (!seen.insert(key).second) return invalid(at_line(item.first) + where + key + " twice");
    if (Status status = known->second(item.second); !status) {
      const Fault& fault = status.error();
      if (fault.detail.starts_with("line ")) return status;
      return fail(fault.id, at_line(item.second) + where + key + ": " + fault.detail);
    }
  }
  return {};
}

Result<std::string> scalar(const YAML::Node& node) {
  if (!node.IsScalar() || node.Scalar().empty()) return invalid("write one value");
  return node.Scalar();
}

Setter text(std::string& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(out, scalar(node));
    return {};
  };
}

Setter file(std::string& out, const path& folder) {
  return [&out, folder](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    out = (folder / value).string();  // an absolute path stands as it is
    return {};
  };
}

std::optional<std::uint64_t> number(std::string_view digits, int base) {
  std::uint64_t out = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, out, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return out;
}

// "name:7443", "10.0.0.1:7443" or "[fd00::1]:7443": nothing that gRPC would take for a scheme.
bool is_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string_view host = text.substr(0, colon);
  const auto port = number(text.substr(colon + 1), 10);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const std::string_view allowed =
      bracketed ? "0123456789abcdefABCDEF:."
                : "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-";
  return !host.empty() && host.find_first_not_of(allowed) == std::string_view::npos && port &&
         *port >= 1 && *port <= 65535;
}

Setter host_port(std::string& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(out, scalar(node));
    if (is_host_port(out)) return {};
    return invalid("write HOST:PORT, such as verifier.example:7443, not " + shown(out));
  };
}

// A TCTI that opens the node's TPM or a software TPM. Others load a library by name or run a
// program, which an agent has no use for.
Setter tcti(std::string& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(out, scalar(node));
    const std::string_view name = std::string_view(out).substr(0, out.find(':'));
    if ((name == "device" || name == "swtpm") && out.size() > name.size() + 1) return {};
    return invalid("write device:PATH, swtpm:path=SOCKET or swtpm:host=HOST,port=PORT, not " +
                   shown(out));
  };
}

// One of some names, each of which stands for a value.
template <typename T>
Setter choice(T& out, std::vector<std::pair<std::string_view, T>> names) {
  return [&out, names = std::move(names)](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    std::string known;
    for (const auto& [name, meaning] : names) {
      known += (known.empty() ? "" : ", ") + std::string(name);
      if (name != value) continue;
      out = meaning;
      return {};
    }
    return invalid("write one of " + known + ", not " + shown(value));
  };
}

Setter algorithm(AkAlgorithm& out) {
  return choice<AkAlgorithm>(out, {{"ecc-p256", AkAlgorithm::kEccP256},
                                   {"ecc-p384", AkAlgorithm::kEccP384},
                                   {"rsa-2048", AkAlgorithm::kRsa2048},
                                   {"rsa-2048-pss", AkAlgorithm::kRsa2048Pss},
                                   {"rsa-3072", AkAlgorithm::kRsa3072}});
}

Setter endorsement_key(EkChoice& out) {
  return choice<EkChoice>(out, {{"auto", EkChoice::kAuto},
                                {"rsa-2048-low", EkChoice::kRsa2048Low},
                                {"ecc-p256-low", EkChoice::kEccP256Low},
                                {"rsa-2048", EkChoice::kRsa2048},
                                {"ecc-p256", EkChoice::kEccP256},
                                {"ecc-p384", EkChoice::kEccP384},
                                {"ecc-p521", EkChoice::kEccP521},
                                {"rsa-3072", EkChoice::kRsa3072},
                                {"rsa-4096", EkChoice::kRsa4096}});
}

Setter handle(std::uint32_t& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    const bool hex = value.starts_with("0x");
    const auto parsed = hex ? number(std::string_view(value).substr(2), 16) : std::nullopt;
    if (!parsed || *parsed < kFirstOwnerHandle || *parsed > kLastOwnerHandle) {
      return invalid("write a persistent handle from 0x81000000 to 0x817fffff, not " +
                     shown(value));
    }
    out = static_cast<std::uint32_t>(*parsed);
    return {};
  };
}

Setter poll_interval(std::chrono::milliseconds& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    const auto parsed = parse_duration(value);
    if (!parsed || *parsed < kShortestPoll || *parsed > kLongestPoll) {
      return invalid("write a duration from 50ms to 1h, such as 500ms or 30s, not " + shown(value));
    }
    out = *parsed;
    return {};
  };
}

Result<std::string> read_file(const path& from) {
  const Fd fd(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  std::string out(kMaxFileBytes + 1, '\0');
  const ssize_t got = fd ? ::read(fd.get(), out.data(), out.size()) : -1;
  if (got < 0) return fail(FaultId::kFileUnreadable, std::strerror(errno));
  if (static_cast<std::size_t>(got) > kMaxFileBytes) return invalid("is over 1 MiB");
  out.resize(static_cast<std::size_t>(got));
  return out;
}

Setter certificates(std::string& out, const path& folder) {
  return [&out, folder](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    auto pem = read_file(folder / value);
    if (!pem) return fail(pem.error().id, escape_bytes(value) + ": " + pem.error().detail);
    if (pem->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
      return invalid(escape_bytes(value) + " holds no PEM certificate: name the CA's certificate");
    }
    out = *std::move(pem);
    return {};
  };
}

// A secret that others can read is none. One that is not there has been used and deleted.
Setter token(std::string& out, const path& folder) {
  return [&out, folder](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    const path from = folder / value;
    struct stat status {};
    const bool exists = ::stat(from.c_str(), &status) == 0;
    if (!exists && errno == ENOENT) return {};
    if (exists && (status.st_mode & 077) != 0) {
      return fail(
          FaultId::kFileUnreadable,
          escape_bytes(value) + ": others than its owner may read it; run `chmod 600` on it");
    }
    auto content = read_file(from);
    if (!content)
      return fail(content.error().id, escape_bytes(value) + ": " + content.error().detail);
    while (content->ends_with('\n') || content->ends_with('\r')) content->pop_back();
    const bool good = !content->empty() && content->size() <= kMaxTokenBytes &&
                      std::ranges::all_of(*content, [](char c) { return c > ' ' && c <= '~'; });
    if (!good) {
      return invalid(escape_bytes(value) +
                     " holds no join token: one line, as `assay join-token "
                     "create` prints it");
    }
    out = *std::move(content);
    return {};
  };
}

// The host's name in the form that Kubernetes gives its nodes; empty when it has none.
std::string host_name() {
  std::array<char, 254> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "";
  std::string out(name.data());
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

// yaml-cpp throws; its exceptions end here.
Result<YAML::Node> parse_yaml(const std::string& content) {
  try {
    return YAML::Load(content);
  } catch (const YAML::Exception& error) {
    return invalid("line " + std::to_string(error.mark.line + 1) + ": not YAML: " + error.msg);
  }
}

Result<AgentConfig> read_config(const path& from) {
  const auto content = read_file(from);
  if (!content) {
    return fail(content.error().id,
                content.error().detail + ": name the configuration with --config");
  }
  ASSAY_TRY(const YAML::Node root, parse_yaml(*content));
  const path folder = from.parent_path();
  AgentConfig out;
  out.node_name = host_name();
  const Keys ak = {{"algorithm", algorithm(out.tpm.ak.algorithm)},
                   {"handle", handle(out.tpm.ak.handle)}};
  const auto read_ak = [&ak](const YAML::Node& node) { return read_mapping(node, "ak: ", ak); };
  ASSAY_OK(read_mapping(root, "",
                        {{"verifier", host_port(out.verifier)},
                         {"ca_file", certificates(out.ca_pem, folder)},
                         {"server_name", text(out.server_name)},
                         {"tcti", tcti(out.tpm.tcti)},
                         {"ak", read_ak},
                         {"ek", endorsement_key(out.tpm.ek)},
                         {"node_name", text(out.node_name)},
                         {"join_token_file", token(out.join_token, folder)},
                         {"boot_log", file(out.boot_log, folder)},
                         {"ima_log", file(out.ima_log, folder)},
                         {"ima_count", file(out.ima_count, folder)},
                         {"kubelet_pods", file(out.kubelet_pods, folder)},
                         {"poll_interval", poll_interval(out.poll_interval)}}));
  if (out.verifier.empty()) return invalid("verifier is required: HOST:PORT of the verifier");
  if (out.ca_pem.empty()) {
    return invalid(
        "ca_file is required: the PEM file of the CA that signed the verifier's certificate");
  }
  return out;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = number(text.substr(0, digits), 10);
  if (!count || *count == 0 || *count > 1'000'000'000) return std::nullopt;
  const auto value = static_cast<std::int64_t>(*count);
  const std::string_view unit = text.substr(digits);
  if (unit == "ms") return std::chrono::milliseconds(value);
  if (unit == "s") return std::chrono::seconds(value);
  if (unit == "m") return std::chrono::minutes(value);
  if (unit == "h") return std::chrono::hours(value);
  return std::nullopt;
}

Result<AgentConfig> load_config(const path& from) {
  auto config = read_config(from);
  if (!config) {
    return fail(config.error().id, escape_bytes(from.string()) + ": " + config.error().detail);
  }
  return config;
}

}  // namespace assay::agent
