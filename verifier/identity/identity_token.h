// Identity tokens: JSON Web Tokens by which a CI job or a workload shows who it is.
//
// Source: RFC 7515 (JWS, compact form), RFC 7519 (JWT), OpenID Connect Core 1.0, 3.1.3.7.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/result.h"
#include "core/signature/token_key.h"
#include "core/verdict.h"
#include "verifier/identity/key_source.h"

namespace assay {

inline constexpr std::size_t kMaxIdentityTokenBytes = std::size_t{16} << 10;
// How far an issuer's clock and ours may be apart, and how long a token may last.
inline constexpr std::chrono::seconds kClockLeeway{60};
inline constexpr std::chrono::hours kMaxIdentityLifetime{24};

// Names of members from the outermost: {"kubernetes.io", "serviceaccount", "uid"}.
using ClaimPath = std::vector<std::string>;

// What a token says. Worth nothing until it is a VerifiedIdentity's.
struct TokenClaims {
  std::string issuer{};
  std::vector<std::string> audiences{};
  Instant issued_at{};
  Instant expires_at{};
  std::optional<Instant> not_before{};
  std::map<ClaimPath, std::string> texts{};  // every member that is text, in objects in objects

  // Null when there is no such text. Valid as long as the claims.
  const std::string* text(const ClaimPath& path) const;
};

struct UntrustedToken {
  std::string algorithm{};              // as its header has it
  std::optional<std::string> key_id{};  // likewise
  TokenClaims claims{};
  std::string signed_part{};  // header and claims as they came
  Bytes signature{};
};

// Whether text is meant to be such a token: it begins as the encoding of `{"` does.
bool looks_like_identity_token(std::string_view text);

// Reads a token in compact form, untrusted. Other members of its header are passed over, and a key or the
// address of one among them is never used. Fails with kIdentityMalformed: over kMaxIdentityTokenBytes; not
// three parts in strict base64url; header or claims not JSON as parse_strict_object() has it; `crit` in the
// header; `alg`, `iss`, `aud`, `exp` or `iat` missing; one of these, `kid`, `nbf` or `jti` of another type,
// or a time that is no whole number. Pure.
Result<UntrustedToken> parse_identity_token(std::string_view text);

// What tokens of an issuer have to be.
struct IssuerTrust {
  std::string issuer;
  std::string audience;
  TokenAlgorithm algorithm = TokenAlgorithm::kRs256;
};

// Claims that their issuer has signed, for this audience, and that are valid at the time of the check. Only
// verify_identity() makes one.
class VerifiedIdentity {
 public:
  const TokenClaims& claims() const { return claims_; }

  // The same for every spelling of one token, and for no other: of issuer and `jti`, or of all that is
  // signed where there is no `jti`.
  const Digest& token() const { return token_; }

 private:
  friend Result<VerifiedIdentity> verify_identity(UntrustedToken, const IssuerTrust&, KeySource&,
                                                  Instant);
  VerifiedIdentity(TokenClaims claims, const Digest& token)
      : claims_(std::move(claims)), token_(token) {}

  TokenClaims claims_;
  Digest token_;
};

// Checks that `token` is of the issuer, made for us, and valid at `now`.
//
// Fails with, in the order checked:
//   kIdentityIssuer       `iss` is not exactly trust.issuer
//   kIdentityAlgorithm    `alg` is not trust.algorithm, or the key that `kid` names is not of it
//   kIdentityKeyUnknown   no `kid`; and as keys.key()
//   kIdentitySignature    not by that key
//   kIdentityAudience     `aud` is not, and does not hold, trust.audience
//   kIdentityNotYetValid  `nbf` or `iat` is over kClockLeeway away
//   kIdentityExpired      `exp` was kClockLeeway ago or more
//   kIdentityLifetime     from `iat` to `exp` it is over kMaxIdentityLifetime
//
// Does not say what the identity may do: rules do.
Result<VerifiedIdentity> verify_identity(UntrustedToken token, const IssuerTrust& trust,
                                         KeySource& keys, Instant now);

}  // namespace assay
