// What identity tokens have pushed: a token that somebody else sees serves for nothing new.
#pragma once

#include <map>
#include <string>

#include "core/digest.h"
#include "core/result.h"
#include "core/verdict.h"
#include "verifier/guarded.h"

namespace assay {

inline constexpr std::size_t kMaxNamesOfToken = 256;
inline constexpr std::size_t kMaxTokensInUse = 4'096;

// A token, and until when its uses count.
struct TokenUse {
  Digest token = Digest::zero(HashAlg::kSha256);  // VerifiedIdentity::token()
  Instant until{};                                // it is refused from then on
};

// A push, by what makes it another one.
struct PushContent {
  std::string set_name;
  Digest set = Digest::zero(HashAlg::kSha256);
  std::string idempotency_key{};  // the caller's; empty: none
};

// A CI job may have one token for several sets, and tries again what has failed: so a token counts once for
// each name, and again for exactly the same. In memory only. Safe from any thread.
class TokenUses {
 public:
  // Remembers what the token is used for. Fails with kIdentityReplayed when it has been used for this name
  // with another content or idempotency key, or for kMaxNamesOfToken names; with kUnavailable when
  // kMaxTokensInUse others are remembered, since none of them may be forgotten.
  Status claim(const TokenUse& use, const PushContent& content, Instant now);

 private:
  struct Token {
    Instant until;
    std::map<std::string, PushContent> pushed;  // by name
  };
  Guarded<std::map<Digest, Token>> tokens_;
};

}  // namespace assay
