#include "verifier/identity/identity_token.h"

#include <algorithm>
#include <array>

#include "verifier/identity/strict_json.h"

namespace assay {
namespace {

using nlohmann::json;

constexpr std::string_view kStart = "eyJ";                   // of {"
constexpr std::int64_t kMaxSeconds = std::int64_t{1} << 33;  // the year 2242

tl::unexpected<Fault> malformed(std::string what) {
  return fail(FaultId::kIdentityMalformed, std::move(what));
}

tl::unexpected<Fault> wrong_member(const char* name, std::string_view why) {
  return malformed('"' + std::string(name) + "\" " + std::string(why));
}

Result<json> decode(std::string_view part) {
  const auto bytes = from_base64url(part);
  if (!bytes) return malformed("a part is not in base64url");
  return parse_strict_object(*bytes, FaultId::kIdentityMalformed);
}

Result<std::optional<std::string>> optional_text(const json& object, const char* name) {
  if (!object.contains(name)) return std::nullopt;
  const std::string* text = text_member(object, name);
  if (text == nullptr) return wrong_member(name, "is no text");
  return *text;
}

Result<std::string> required_text(const json& object, const char* name) {
  ASSAY_TRY(std::optional<std::string> text, optional_text(object, name));
  if (!text || text->empty()) return wrong_member(name, "is missing");
  return *std::move(text);
}

Result<std::optional<Instant>> optional_time(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::nullopt;
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() > kMaxSeconds) {
    return wrong_member(name, "is no time in whole seconds");
  }
  return Instant(std::chrono::seconds(found->get<std::int64_t>()));
}

Result<Instant> required_time(const json& object, const char* name) {
  ASSAY_TRY(const std::optional<Instant> time, optional_time(object, name));
  if (!time) return wrong_member(name, "is missing");
  return *time;
}

// One text, or a list of them (RFC 7519, 4.1.3).
Result<std::vector<std::string>> read_audiences(const json& claims) {
  const auto found = claims.find("aud");
  if (found == claims.end()) return wrong_member("aud", "is missing");
  if (found->is_string()) return std::vector{found->get<std::string>()};
  if (!found->is_array()) return wrong_member("aud", "is neither text nor a list");
  std::vector<std::string> out;
  for (const json& each : *found) {
    if (!each.is_string()) return wrong_member("aud", "holds what is no text");
    out.push_back(each.get<std::string>());
  }
  return out;
}

// Depth is limited by parse_strict_object().
void collect_texts(const json& object, const ClaimPath& at, std::map<ClaimPath, std::string>& out) {
  for (const auto& [name, value] : object.items()) {
    ClaimPath path = at;
    path.push_back(name);
    if (value.is_string()) out.emplace(std::move(path), value.get<std::string>());
    if (value.is_object()) collect_texts(value, path, out);
  }
}

Result<TokenClaims> read_claims(const json& all) {
  TokenClaims out;
  ASSAY_TRY(out.issuer, required_text(all, "iss"));
  ASSAY_TRY(out.audiences, read_audiences(all));
  ASSAY_TRY(out.issued_at, required_time(all, "iat"));
  ASSAY_TRY(out.expires_at, required_time(all, "exp"));
  ASSAY_TRY(out.not_before, optional_time(all, "nbf"));
  ASSAY_OK(optional_text(all, "jti"));
  collect_texts(all, {}, out.texts);
  return out;
}

Result<TokenKey> key_for(const UntrustedToken& token, const IssuerTrust& trust, KeySource& keys) {
  if (token.claims.issuer != trust.issuer) {
    return fail(FaultId::kIdentityIssuer, "it is not " + trust.issuer);
  }
  const std::string wanted(token_algorithm_name(trust.algorithm));
  if (token.algorithm != wanted) {
    return fail(FaultId::kIdentityAlgorithm, "the issuer's is " + wanted);
  }
  if (!token.key_id) return fail(FaultId::kIdentityKeyUnknown, "it has no \"kid\"");
  ASSAY_TRY(TokenKey key, keys.key(*token.key_id));
  if (key.algorithm() != trust.algorithm) {
    return fail(FaultId::kIdentityAlgorithm, "the key is not for " + wanted);
  }
  return key;
}

Status check_times(const TokenClaims& claims, Instant now) {
  if (std::max(claims.issued_at, claims.not_before.value_or(claims.issued_at)) >
      now + kClockLeeway) {
    return fail(FaultId::kIdentityNotYetValid, "");
  }
  if (now >= claims.expires_at + kClockLeeway) return fail(FaultId::kIdentityExpired, "");
  if (claims.expires_at - claims.issued_at > kMaxIdentityLifetime) {
    return fail(FaultId::kIdentityLifetime, "at most 24 hours");
  }
  return {};
}

Digest name_of(const UntrustedToken& token) {
  const std::string* id = token.claims.text({"jti"});
  // A line break stands in no issuer that a configuration can have, and in no base64url.
  return hash(HashAlg::kSha256,
              as_bytes(id == nullptr ? token.signed_part : token.claims.issuer + '\n' + *id));
}

}  // namespace

const std::string* TokenClaims::text(const ClaimPath& path) const {
  const auto found = texts.find(path);
  return found == texts.end() ? nullptr : &found->second;
}

bool looks_like_identity_token(std::string_view text) {
  return text.starts_with(kStart);
}

Result<UntrustedToken> parse_identity_token(std::string_view text) {
  if (text.size() > kMaxIdentityTokenBytes) return malformed("over 16 KiB");
  if (std::ranges::count(text, '.') != 2) return malformed("not three parts");
  const std::size_t first = text.find('.');
  const std::size_t second = text.rfind('.');
  ASSAY_TRY(const json header, decode(text.substr(0, first)));
  if (header.contains("crit")) return wrong_member("crit", "asks for what Assay does not know");
  UntrustedToken out;
  ASSAY_TRY(out.algorithm, required_text(header, "alg"));
  ASSAY_TRY(out.key_id, optional_text(header, "kid"));
  ASSAY_TRY(const json claims, decode(text.substr(first + 1, second - first - 1)));
  ASSAY_TRY(out.claims, read_claims(claims));
  auto signature = from_base64url(text.substr(second + 1));
  if (!signature) return malformed("a part is not in base64url");
  out.signature = *std::move(signature);
  out.signed_part = text.substr(0, second);
  return out;
}

Result<VerifiedIdentity> verify_identity(UntrustedToken token, const IssuerTrust& trust,
                                         KeySource& keys, Instant now) {
  ASSAY_TRY(const TokenKey key, key_for(token, trust, keys));
  if (!key.verify(as_bytes(token.signed_part), token.signature)) {
    return fail(FaultId::kIdentitySignature, "");
  }
  if (std::ranges::find(token.claims.audiences, trust.audience) == token.claims.audiences.end()) {
    return fail(FaultId::kIdentityAudience, "ask for one with the audience " + trust.audience);
  }
  ASSAY_OK(check_times(token.claims, now));
  const Digest name = name_of(token);
  return VerifiedIdentity(std::move(token.claims), name);
}

}  // namespace assay
