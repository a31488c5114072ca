#include "verifier/identity/identities.h"

#include <algorithm>

#include "core/text.h"

namespace assay {
namespace {

constexpr std::size_t kMaxShownBytes = 128;

}  // namespace

Result<AdmittedIdentity> Identities::authenticate(std::string_view text, Instant now) {
  ASSAY_TRY(UntrustedToken token, parse_identity_token(text));
  const auto issuer = std::ranges::find_if(issuers_, [&](const Issuer& one) {
    return one.settings.trust.issuer == token.claims.issuer;
  });
  if (issuer == issuers_.end()) {
    return fail(FaultId::kIdentityIssuer,
                shorten(escape_bytes(token.claims.issuer), kMaxShownBytes));
  }
  ASSAY_TRY(const VerifiedIdentity identity,
            verify_identity(std::move(token), issuer->settings.trust, *issuer->keys, now));
  AdmittedIdentity out{
      .name = identity_name(issuer->settings.kind, identity.claims()),
      .scopes = admitted_names(issuer->settings.rules, identity.claims()),
      .use = {.token = identity.token(), .until = identity.claims().expires_at + kClockLeeway}};
  if (out.scopes.empty()) return fail(FaultId::kIdentityRefused, out.name);
  return out;
}

Result<std::string> Identities::claim(const TokenUse& use, const PushContent& content,
                                      Instant now) {
  ASSAY_OK(uses_.claim(use, content, now));
  if (!content.idempotency_key.empty()) return content.idempotency_key;
  const std::string text = format_digest(use.token) + ' ' + content.set_name;
  return "identity-token:" + to_hex(hash(HashAlg::kSha256, as_bytes(text)).bytes());
}

}  // namespace assay
