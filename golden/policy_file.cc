#include "golden/policy_file.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/text.h"
#include "golden/yaml_reader.h"

namespace assay {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

tl::unexpected<Fault> invalid(std::string detail) {
  return fail(FaultId::kConfigInvalid, std::move(detail));
}

Setter digest(Digest& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    const auto parsed = parse_digest(value);
    if (!parsed) return invalid("write a digest such as sha256:<64 hex digits>");
    out = *parsed;
    return {};
  };
}

Setter enforcement(Enforcement& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    if (value != "fail" && value != "warn") return invalid("write fail or warn");
    out = value == "warn" ? Enforcement::kWarn : Enforcement::kFail;
    return {};
  };
}

std::optional<std::chrono::sys_days> parse_date(std::string_view value) {
  constexpr std::string_view kForm = "0000-00-00";
  if (value.size() != kForm.size() || value[4] != '-' || value[7] != '-') return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t size) -> int {
    int out = -1;
    const char* first = value.data() + at;
    const auto [end, error] = std::from_chars(first, first + size, out);
    return error == std::errc() && end == first + size ? out : -1;
  };
  const int year = number(0, 4);
  const int month = number(5, 2);
  const int day = number(8, 2);
  if (year < 0 || month < 0 || day < 0) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year{year},
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

Setter date(std::optional<std::chrono::sys_days>& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    out = parse_date(value);
    return out ? Status() : invalid("write a date as 2026-11-23");
  };
}

Setter accepted(std::vector<AcceptedValue>& out) {
  return [&out](const YAML::Node& list) {
    return read_list(list, [&out](const YAML::Node& item) -> Status {
      AcceptedValue value{.digest = Digest::zero(HashAlg::kSha256), .name = {}};
      ASSAY_OK(read_mapping(item, "accept: ",
                            {{"digest", digest(value.digest)},
                             {"name", text(value.name)},
                             {"since", date(value.since)},
                             {"until", date(value.until)}}));
      if (!item["digest"] || value.name.empty()) {
        return invalid(at_line(item) + "accept: digest and name are required");
      }
      out.push_back(std::move(value));
      return {};
    });
  };
}

Keys accept_keys(AcceptRule& out) {
  return {{"accept", accepted(out.accept)}, {"enforce", enforcement(out.enforce)}};
}

Setter optional_accept(std::string where, std::optional<AcceptRule>& out) {
  return [where = std::move(where), &out](const YAML::Node& node) {
    return read_mapping(node, where, accept_keys(out.emplace()));
  };
}

Setter words(std::vector<std::string>& out) {
  return [&out](const YAML::Node& list) {
    return read_list(list, [&out](const YAML::Node& item) -> Status {
      if (!item.IsScalar()) return invalid(at_line(item) + "has to be one value");
      out.push_back(item.Scalar());
      return {};
    });
  };
}

Setter pcr_rules(std::map<PcrIndex, AcceptRule>& out) {
  return [&out](const YAML::Node& list) {
    return read_list(list, [&out](const YAML::Node& item) -> Status {
      std::uint32_t index = PcrIndex::kCount;
      AcceptRule rule;
      Keys keys = accept_keys(rule);
      keys.emplace("pcr", number<std::uint32_t>(index, 0, 14));
      ASSAY_OK(read_mapping(item, "pcrs: ", keys));
      const auto pcr = PcrIndex::from(index);
      // What IMA and userspace extend changes as the machine runs.
      if (!pcr || (index > 9 && index != 14)) {
        return invalid(at_line(item) + "pcrs: pcr has to be 0 to 9, or 14");
      }
      if (!out.emplace(*pcr, std::move(rule)).second) {
        return invalid(at_line(item) + "pcrs: PCR " + std::to_string(index) + " twice");
      }
      return {};
    });
  };
}

Setter variable_rules(std::map<std::string, AcceptRule>& out) {
  return [&out](const YAML::Node& list) {
    return read_list(list, [&out](const YAML::Node& item) -> Status {
      std::string name;
      AcceptRule rule;
      Keys keys = accept_keys(rule);
      keys.emplace("name", text(name));
      ASSAY_OK(read_mapping(item, "variables: ", keys));
      constexpr std::array<std::string_view, 4> kNames = {"PK", "KEK", "db", "dbx"};
      if (std::ranges::find(kNames, name) == kNames.end()) {
        return invalid(at_line(item) + "variables: name has to be PK, KEK, db or dbx");
      }
      if (!out.emplace(name, std::move(rule)).second) {
        return invalid(at_line(item) + "variables: " + name + " twice");
      }
      return {};
    });
  };
}

Setter command_line(std::optional<CommandLineRules>& out) {
  return [&out](const YAML::Node& node) {
    CommandLineRules& all = out.emplace();
    const Setter rules = [&all](const YAML::Node& list) {
      return read_list(list, [&all](const YAML::Node& item) -> Status {
        CommandLineRule rule;
        ASSAY_OK(read_mapping(item, "rules: ",
                              {{"parameter", text(rule.parameter)},
                               {"values", words(rule.values)},
                               {"required", flag(rule.required)}}));
        const std::size_t star = rule.parameter.find('*');
        if (rule.parameter.empty() ||
            (star != std::string::npos && star + 1 != rule.parameter.size())) {
          return invalid(at_line(item) +
                         "rules: parameter is a name, or its beginning and one '*'");
        }
        if (rule.required && (rule.values.empty() || star != std::string::npos)) {
          return invalid(at_line(item) + "rules: what is required needs a whole name and values");
        }
        all.rules.push_back(std::move(rule));
        return {};
      });
    };
    return read_mapping(
        node, "command_line: ", {{"rules", rules}, {"enforce", enforcement(all.enforce)}});
  };
}

Setter boot(BootPolicy& out) {
  const Setter secure_boot = [&out](const YAML::Node& node) {
    SecureBootRule& rule = out.secure_boot.emplace();
    return read_mapping(node, "secure_boot: ",
                        {{"enabled", flag(rule.enabled)}, {"enforce", enforcement(rule.enforce)}});
  };
  return mapping("boot: ", {{"log", enforcement(out.log)},
                            {"pcrs", pcr_rules(out.pcrs)},
                            {"secure_boot", secure_boot},
                            {"variables", variable_rules(out.variables)},
                            {"applications", optional_accept("applications: ", out.applications)},
                            {"files", optional_accept("files: ", out.files)},
                            {"command_line", command_line(out.command_line)}});
}

Setter ima_policy(std::optional<ImaPolicyRule>& out) {
  return [&out](const YAML::Node& node) -> Status {
    ImaPolicyRule& rule = out.emplace();
    ASSAY_OK(
        read_mapping(node, "ima_policy: ",
                     {{"accept", accepted(rule.accept)},
                      {"within_entries", number<std::uint64_t>(rule.within_entries, 1, 1'000'000)},
                      {"enforce", enforcement(rule.enforce)}}));
    if (!rule.accept.empty()) return {};
    return invalid(at_line(node) + "ima_policy: accept is required");
  };
}

// One word for both classes, or one for each.
Setter violations(ViolationRules& out) {
  return [&out](const YAML::Node& node) -> Status {
    if (!node.IsScalar()) {
      return read_mapping(
          node, "violations: ",
          {{"executables", enforcement(out.executables)}, {"others", enforcement(out.others)}});
    }
    ASSAY_OK(enforcement(out.executables)(node));
    out.others = out.executables;
    return {};
  };
}

Setter banks(std::vector<HashAlg>& out) {
  return [&out](const YAML::Node& list) -> Status {
    out.clear();
    ASSAY_OK(read_list(list, [&out](const YAML::Node& item) -> Status {
      const auto alg = item.IsScalar() ? hash_by_name(item.Scalar()) : std::nullopt;
      if (!alg) return invalid(at_line(item) + "write sha1, sha256, sha384 or sha512");
      out.push_back(*alg);
      return {};
    }));
    return out.empty() ? invalid("name a bank") : Status();
  };
}

Setter names(std::set<std::string, std::less<>>& out) {
  return [&out](const YAML::Node& list) -> Status {
    std::vector<std::string> all;
    ASSAY_OK(words(all)(list));
    out = {all.begin(), all.end()};
    return {};
  };
}

Setter classes(std::vector<NodeClass>& out) {
  return [&out](const YAML::Node& list) {
    return read_list(list, [&out](const YAML::Node& item) -> Status {
      NodeClass found;
      found.name.clear();
      ASSAY_OK(read_mapping(item, "classes: ",
                            {{"name", text(found.name)},
                             {"nodes", names(found.nodes)},
                             {"node_prefixes", words(found.node_prefixes)},
                             {"banks", banks(found.banks)},
                             {"ima_policy", ima_policy(found.ima_policy)},
                             {"violations", violations(found.violations)},
                             {"boot", boot(found.boot)}}));
      if (found.name.empty()) return invalid(at_line(item) + "classes: name is required");
      for (const NodeClass& before : out) {
        if (before.name == found.name) {
          return invalid(at_line(item) + "classes: '" + escape_bytes(found.name) + "' twice");
        }
        if (before.nodes.empty() && before.node_prefixes.empty()) {
          return invalid(at_line(item) + "classes: '" + escape_bytes(before.name) +
                         "' before this one has every node: put it last, or give it nodes");
        }
      }
      out.push_back(std::move(found));
      return {};
    });
  };
}

Setter namespaces(std::vector<NamespaceRule>& out) {
  return [&out](const YAML::Node& list) {
    return read_list(list, [&out](const YAML::Node& item) -> Status {
      NamespaceRule rule;
      std::string mode;
      std::string weakest(attribution_name(rule.weakest));
      ASSAY_OK(read_mapping(
          item, "namespaces: ",
          {{"names", names(rule.names)}, {"mode", text(mode)}, {"attribution", text(weakest)}}));
      const auto known = namespace_mode_by_name(mode);
      if (!known) return invalid(at_line(item) + "namespaces: mode is enforce, warn or monitor");
      const auto attribution = attribution_by_name(weakest);
      if (!attribution) {
        return invalid(at_line(item) + "namespaces: attribution is cgroup or uid range");
      }
      if (rule.names.empty()) return invalid(at_line(item) + "namespaces: names is required");
      for (const NamespaceRule& before : out) {
        for (const std::string& name : rule.names) {
          if (!before.names.contains(name)) continue;
          return invalid(at_line(item) + "namespaces: '" + escape_bytes(name) + "' twice");
        }
      }
      rule.mode = *known;
      rule.weakest = *attribution;
      out.push_back(std::move(rule));
      return {};
    });
  };
}

Status check_banks(const Policy& policy) {
  for (const NodeClass& node_class : policy.classes) {
    const bool sha1 = std::ranges::find(node_class.banks, HashAlg::kSha1) != node_class.banks.end();
    if (sha1 && !policy.allow_sha1) {
      return invalid("classes: '" + escape_bytes(node_class.name) +
                     "': bank sha1 needs allow_sha1: true");
    }
  }
  return {};
}

Setter listed_keys(std::map<Digest, std::optional<std::string>>& out) {
  return [&out](const YAML::Node& list) {
    return read_list(list, [&out](const YAML::Node& item) -> Status {
      Digest ek = Digest::zero(HashAlg::kSha256);
      std::string node;
      ASSAY_OK(
          read_mapping(item, "endorsement_keys: ", {{"ek", digest(ek)}, {"node", text(node)}}));
      if (!item["ek"]) return invalid(at_line(item) + "endorsement_keys: ek is required");
      if (!out.emplace(ek, node.empty() ? std::nullopt : std::optional(node)).second) {
        return invalid(at_line(item) + "endorsement_keys: this key twice");
      }
      return {};
    });
  };
}

Setter keys_without_certificate(std::set<Digest>& out) {
  return [&out](const YAML::Node& list) {
    return read_list(list, [&out](const YAML::Node& item) -> Status {
      Digest ek = Digest::zero(HashAlg::kSha256);
      if (Status status = digest(ek)(item); !status) {
        return invalid(at_line(item) + status.error().detail);
      }
      out.insert(ek);
      return {};
    });
  };
}

Setter otherwise(AdmissionPolicy::Otherwise& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    if (value != "pending" && value != "refuse") return invalid("write pending or refuse");
    out = value == "refuse" ? AdmissionPolicy::Otherwise::kRefuse
                            : AdmissionPolicy::Otherwise::kPending;
    return {};
  };
}

}  // namespace

Result<Policy> parse_policy(std::string_view yaml) {
  if (yaml.size() > kMaxBytes) return invalid("over 1 MiB");
  ASSAY_TRY(const YAML::Node root, parse_yaml(yaml));
  Policy out;
  if (root.IsNull()) return out;
  ASSAY_OK(read_mapping(
      root, "",
      {{"allow_sha1", flag(out.allow_sha1)},
       {"admission",
        mapping("admission: ", {{"endorsement_keys", listed_keys(out.admission.endorsement_keys)},
                                {"without_certificate",
                                 keys_without_certificate(out.admission.without_certificate)},
                                {"otherwise", otherwise(out.admission.otherwise)}})},
       {"classes", classes(out.classes)},
       {"namespaces", namespaces(out.namespaces)}}));
  ASSAY_OK(check_banks(out));
  return out;
}

}  // namespace assay
