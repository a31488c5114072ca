// What identities may push: conditions on what their tokens say.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verifier/access/name_scope.h"
#include "verifier/identity/identity_token.h"

namespace assay {

// Whose tokens an issuer makes: it says which claims mean what.
enum class IdentityKind : std::uint8_t { kGithub, kGitlab, kKubernetes };
std::string_view identity_kind_name(IdentityKind kind);  // "github"
std::optional<IdentityKind> identity_kind_by_name(std::string_view name);

// One thing that a token has to say. What it does not say is never enough.
struct ClaimCondition {
  enum class Test : std::uint8_t { kIsOneOf, kBeginsWithNoneOf };

  ClaimPath claim;
  Test test = Test::kIsOneOf;
  std::vector<std::string> values;
};

// Who meets all conditions may push sets of these names.
struct IdentityRule {
  std::vector<NameScope> names;
  std::vector<ClaimCondition> conditions;
};

// An issuer, and whom of those that it knows the verifier admits.
struct IdentitySettings {
  IdentityKind kind = IdentityKind::kGithub;
  IssuerTrust trust{};
  std::filesystem::path jwks_file{};  // empty: fetched from the issuer
  std::filesystem::path ca_file{};    // of the issuer; empty: the system's CAs
  std::vector<IdentityRule> rules{};  // at least one
};

// The names of every rule whose conditions `claims` meet; empty: nothing is admitted. Total and pure.
std::vector<NameScope> admitted_names(const std::vector<IdentityRule>& rules,
                                      const TokenClaims& claims);

// Who it is, by what cannot be given to somebody else, for the audit: "github:repository_id=74 run_id=3".
// Printable and at most 256 bytes, whatever the claims hold. Total and pure.
std::string identity_name(IdentityKind kind, const TokenClaims& claims);

}  // namespace assay
