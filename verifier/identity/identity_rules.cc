#include "verifier/identity/identity_rules.h"

#include <algorithm>

#include "core/text.h"

namespace assay {
namespace {

constexpr std::string_view kNames[] = {"github", "gitlab", "kubernetes"};
constexpr std::size_t kMaxShownBytes = 64;  // of one claim

bool holds(const ClaimCondition& condition, const TokenClaims& claims) {
  const std::string* said = claims.text(condition.claim);
  if (said == nullptr) return false;
  if (condition.test == ClaimCondition::Test::kIsOneOf) {
    return std::ranges::find(condition.values, *said) != condition.values.end();
  }
  return std::ranges::none_of(condition.values,
                              [&](const std::string& start) { return said->starts_with(start); });
}

std::vector<ClaimPath> naming_claims(IdentityKind kind) {
  switch (kind) {
    case IdentityKind::kGithub:
      return {{"repository_id"}, {"run_id"}};
    case IdentityKind::kGitlab:
      return {{"project_id"}, {"job_id"}};
    case IdentityKind::kKubernetes:
      return {{"kubernetes.io", "namespace"},
              {"kubernetes.io", "serviceaccount", "name"},
              {"kubernetes.io", "serviceaccount", "uid"}};
  }
  return {};
}

}  // namespace

std::string_view identity_kind_name(IdentityKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

std::optional<IdentityKind> identity_kind_by_name(std::string_view name) {
  for (const auto kind :
       {IdentityKind::kGithub, IdentityKind::kGitlab, IdentityKind::kKubernetes}) {
    if (name == identity_kind_name(kind)) return kind;
  }
  return std::nullopt;
}

std::vector<NameScope> admitted_names(const std::vector<IdentityRule>& rules,
                                      const TokenClaims& claims) {
  std::vector<NameScope> out;
  for (const IdentityRule& rule : rules) {
    const bool all = std::ranges::all_of(
        rule.conditions, [&](const ClaimCondition& one) { return holds(one, claims); });
    if (all) out.insert(out.end(), rule.names.begin(), rule.names.end());
  }
  return out;
}

std::string identity_name(IdentityKind kind, const TokenClaims& claims) {
  std::string out;
  for (const ClaimPath& path : naming_claims(kind)) {
    const std::string* said = claims.text(path);
    if (said == nullptr) continue;
    const std::string name = path.size() == 3 ? path[1] + '.' + path[2] : path.back();
    out += (out.empty() ? "" : " ") + name + '=' + shorten(escape_bytes(*said), kMaxShownBytes);
  }
  return std::string(identity_kind_name(kind)) + ':' + out;
}

}  // namespace assay
