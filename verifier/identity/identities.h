// Whom identity tokens speak for.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "verifier/identity/identity_rules.h"
#include "verifier/identity/token_uses.h"

namespace assay {

// An identity that a rule admits.
struct AdmittedIdentity {
  std::string name;  // identity_name()
  std::vector<NameScope> scopes;
  TokenUse use;
};

// Safe from any thread.
class Identities {
 public:
  struct Issuer {
    IdentitySettings settings;
    std::unique_ptr<KeySource> keys;
  };

  Identities() = default;  // nobody is admitted
  explicit Identities(std::vector<Issuer> issuers) : issuers_(std::move(issuers)) {}

  // Of a token, untrusted. Fails as parse_identity_token() and verify_identity(); with kIdentityIssuer when
  // no issuer of that name is configured, and kIdentityRefused when none of its rules admits the token.
  Result<AdmittedIdentity> authenticate(std::string_view token, Instant now);

  // Uses the token for a push, once the set is known. Returns the key by which the push is idempotent: the
  // caller's, or one of the token's own, so that a token that somebody repeats brings no old set back. Fails
  // as TokenUses::claim().
  Result<std::string> claim(const TokenUse& use, const PushContent& content, Instant now);

 private:
  std::vector<Issuer> issuers_;
  TokenUses uses_;
};

}  // namespace assay
