#include "verifier/identity/identity_settings.h"

#include <algorithm>

#include "core/text.h"
#include "verifier/config_setters.h"

namespace assay {
namespace {

constexpr std::string_view kWhere = "golden: identities: ";
constexpr std::string_view kRuleWhere = "golden: identities: rules: ";

enum class Need : std::uint8_t {
  kAlways,
  kOneOfThem,  // of those of a kind that have this need
  kOptional,
};
enum class Form : std::uint8_t { kNumber, kText };

// A key of a rule, and the claim that has to be what it says.
struct ConditionKey {
  std::string key;
  IdentityKind kind;
  ClaimPath claim;
  Need need;
  Form form;
};

// Names of repositories, projects and service accounts can be given to somebody else: only ids identify.
const std::vector<ConditionKey>& condition_keys() {
  using enum IdentityKind;
  static const std::vector<ConditionKey> keys = {
      {"repository_id", kGithub, {"repository_id"}, Need::kAlways, Form::kNumber},
      {"repository_owner_id", kGithub, {"repository_owner_id"}, Need::kAlways, Form::kNumber},
      {"job_workflow_ref", kGithub, {"job_workflow_ref"}, Need::kOptional, Form::kText},
      {"ref", kGithub, {"ref"}, Need::kOptional, Form::kText},
      {"environment", kGithub, {"environment"}, Need::kOptional, Form::kText},
      {"project_id", kGitlab, {"project_id"}, Need::kOneOfThem, Form::kNumber},
      {"namespace_id", kGitlab, {"namespace_id"}, Need::kOneOfThem, Form::kNumber},
      {"ci_config_ref_uri", kGitlab, {"ci_config_ref_uri"}, Need::kOptional, Form::kText},
      {"ref", kGitlab, {"ref"}, Need::kOptional, Form::kText},
      {"ref_type", kGitlab, {"ref_type"}, Need::kOptional, Form::kText},
      {"environment", kGitlab, {"environment"}, Need::kOptional, Form::kText},
      {"namespace", kKubernetes, {"kubernetes.io", "namespace"}, Need::kAlways, Form::kText},
      {"service_account",
       kKubernetes,
       {"kubernetes.io", "serviceaccount", "name"},
       Need::kAlways,
       Form::kText},
      {"service_account_uid",
       kKubernetes,
       {"kubernetes.io", "serviceaccount", "uid"},
       Need::kAlways,
       Form::kText},
  };
  return keys;
}

Setter kind(IdentityKind& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    const auto parsed = identity_kind_by_name(value);
    if (!parsed) return fail(FaultId::kConfigInvalid, "write github, gitlab or kubernetes");
    out = *parsed;
    return {};
  };
}

Setter algorithm(TokenAlgorithm& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    const auto parsed = token_algorithm_by_name(value);
    if (!parsed) return fail(FaultId::kConfigInvalid, "write RS256 or ES256");
    out = *parsed;
    return {};
  };
}

Setter condition(const ConditionKey& key, IdentityRule& rule) {
  return [&key, &rule](const YAML::Node& node) -> Status {
    ASSAY_TRY(std::string value, printable(node));
    const bool digits = std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
    if (key.form == Form::kNumber && !digits) {
      return fail(FaultId::kConfigInvalid, "write the number: a name can be given to others");
    }
    rule.conditions.push_back({.claim = key.claim, .values = {std::move(value)}});
    return {};
  };
}

Setter events(std::vector<std::string>& out) {
  return [&out](const YAML::Node& node) {
    return read_list(node, [&out](const YAML::Node& item) -> Status {
      ASSAY_TRY(std::string value, printable(item));
      out.push_back(std::move(value));
      return {};
    });
  };
}

bool has_condition(const IdentityRule& rule, const ConditionKey& key) {
  return std::ranges::any_of(rule.conditions, [&](const auto& c) { return c.claim == key.claim; });
}

// What is needed of a kind, as "a and b" or "a or b"; empty when nothing of it is missing.
std::string missing_conditions(IdentityKind kind, const IdentityRule& rule) {
  std::string always;
  std::string one_of;
  bool all = true;
  bool one = false;
  for (const ConditionKey& key : condition_keys()) {
    if (key.kind != kind || key.need == Need::kOptional) continue;
    const bool has = has_condition(rule, key);
    std::string& list = key.need == Need::kAlways ? always : one_of;
    list += (list.empty() ? "" : key.need == Need::kAlways ? " and " : " or ") + key.key;
    if (key.need == Need::kAlways) all = all && has;
    if (key.need == Need::kOneOfThem) one = one || has;
  }
  if (!always.empty() && !all) return always;
  return one_of.empty() || one ? "" : one_of;
}

Result<IdentityRule> read_rule(IdentityKind kind, const YAML::Node& node) {
  IdentityRule rule;
  std::vector<std::string> named_events;
  bool unprotected_refs = false;
  Keys keys = {{"names", name_scopes(rule.names)}};
  for (const ConditionKey& key : condition_keys()) {
    if (key.kind == kind) keys.emplace(key.key, condition(key, rule));
  }
  if (kind == IdentityKind::kGithub) keys.insert({"events", events(named_events)});
  if (kind == IdentityKind::kGitlab) keys.insert({"unprotected_refs", flag(unprotected_refs)});
  ASSAY_OK(read_mapping(node, std::string(kRuleWhere), keys));
  std::string missing = missing_conditions(kind, rule);
  if (rule.names.empty()) missing = "names";
  if (!missing.empty()) {
    return fail(FaultId::kConfigInvalid, at_line(node) + std::string(kRuleWhere) + "of " +
                                             std::string(identity_kind_name(kind)) + " needs " +
                                             missing);
  }
  using enum ClaimCondition::Test;
  // Anybody can open a pull request, and with it decide what the job runs.
  if (kind == IdentityKind::kGithub) {
    rule.conditions.push_back(
        named_events.empty() ? ClaimCondition{{"event_name"}, kBeginsWithNoneOf, {"pull_request"}}
                             : ClaimCondition{{"event_name"}, kIsOneOf, named_events});
  }
  if (kind == IdentityKind::kGitlab && !unprotected_refs) {
    rule.conditions.push_back({{"ref_protected"}, kIsOneOf, {"true"}});
  }
  return rule;
}

Status check(const IdentitySettings& issuer, const std::vector<IdentitySettings>& others) {
  if (issuer.trust.issuer.empty() || issuer.trust.audience.empty() || issuer.rules.empty()) {
    return fail(FaultId::kConfigInvalid, "kind, issuer, audience and rules are required");
  }
  if (issuer.jwks_file.empty() && !issuer.trust.issuer.starts_with("https://")) {
    return fail(FaultId::kConfigInvalid,
                "keys are fetched by https:// only: give an issuer without it a jwks_file");
  }
  if (!issuer.jwks_file.empty() && !issuer.ca_file.empty()) {
    return fail(FaultId::kConfigInvalid, "ca_file says nothing beside jwks_file: leave one out");
  }
  const bool taken = std::ranges::any_of(
      others, [&](const auto& other) { return other.trust.issuer == issuer.trust.issuer; });
  if (taken) return fail(FaultId::kConfigInvalid, "an issuer twice: put its rules together");
  return {};
}

}  // namespace

Setter identities(std::vector<IdentitySettings>& out, const std::filesystem::path& folder) {
  return [&out, folder](const YAML::Node& node) {
    return read_list(node, [&](const YAML::Node& item) -> Status {
      IdentitySettings issuer;
      std::optional<YAML::Node> rules;
      std::optional<IdentityKind> said;
      const Setter read_kind = [&said](const YAML::Node& value) -> Status {
        return kind(said.emplace())(value);
      };
      // They are read when the kind is known.
      const Setter keep_rules = [&rules](const YAML::Node& value) -> Status {
        rules = value;
        return {};
      };
      ASSAY_OK(read_mapping(item, std::string(kWhere),
                            {{"kind", read_kind},
                             {"issuer", printable_text(issuer.trust.issuer)},
                             {"audience", printable_text(issuer.trust.audience)},
                             {"algorithm", algorithm(issuer.trust.algorithm)},
                             {"jwks_file", file_path(issuer.jwks_file, folder)},
                             {"ca_file", file_path(issuer.ca_file, folder)},
                             {"rules", keep_rules}}));
      if (said && rules) {
        issuer.kind = *said;
        ASSAY_OK(read_list(*rules, [&](const YAML::Node& rule) -> Status {
          ASSAY_TRY(IdentityRule read, read_rule(issuer.kind, rule));
          issuer.rules.push_back(std::move(read));
          return {};
        }));
      }
      if (const Status good = check(issuer, out); !good) {
        return fail(good.error().id, at_line(item) + std::string(kWhere) + good.error().detail);
      }
      out.push_back(std::move(issuer));
      return {};
    });
  };
}

}  // namespace assay
