#include "verifier/identity/identity_token.h"

#include <doctest/doctest.h>
#include <openssl/hmac.h>

#include <functional>

#include "core/text.h"
#include "tests/support/ci_claims.h"
#include "tests/support/fault_of.h"
#include "tests/support/token_signer.h"
#include "verifier/identity/strict_json.h"

using namespace assay;
using namespace assay::testing;
using nlohmann::json;

namespace {

constexpr std::int64_t kNow = 1'700'000'000;

struct Case {
  TokenSigner signer = TokenSigner::rsa();
  TokenSigner other = TokenSigner::ec();
  FixedKeys keys{
      *parse_key_set(as_bytes(TokenSigner::key_set(signer.jwk("k1") + ',' + other.jwk("k2"))))};
  IssuerTrust trust{.issuer = kGithubIssuer, .audience = kAudience};

  Result<VerifiedIdentity> verify(const std::string& token, std::int64_t now = kNow) {
    ASSAY_TRY(UntrustedToken parsed, parse_identity_token(token));
    return verify_identity(std::move(parsed), trust, keys, Instant(std::chrono::seconds(now)));
  }
  // A good token but for what `edit` does to its claims.
  std::string token(const std::function<void(json&)>& edit = [](json&) {}) const {
    json claims = github_claims(kNow);
    edit(claims);
    return signer.token(signer.header("k1"), claims.dump());
  }
  std::string with_header(const std::string& header) const {
    return signer.token(header, github_claims(kNow).dump());
  }
};

std::string hmac_token(const std::string& header, const std::string& claims,
                       const std::string& secret) {
  const std::string signed_part = base64url(header) + '.' + base64url(claims);
  std::array<unsigned char, 32> mac{};
  REQUIRE(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
               as_bytes(signed_part).data(), signed_part.size(), mac.data(), nullptr) != nullptr);
  return signed_part + '.' + base64url(as_text(mac));
}

struct Row {
  std::string name;
  std::string token;
  FaultId want;
};

void check_all(Case& c, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto got = c.verify(row.token);
    REQUIRE_FALSE(got.has_value());
    CHECK_MESSAGE(got.error().id == row.want, format_fault(got.error()));
  }
}

}  // namespace

TEST_CASE("verify_identity: an issuer's token for us says what it says") {
  Case c;
  const auto got = c.verify(c.token());
  REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
  REQUIRE(got->claims().text({"repository_id"}) != nullptr);
  CHECK(*got->claims().text({"repository_id"}) == "74");
  CHECK(got->claims().text({"exp"}) == nullptr);  // no text
  CHECK(got->claims().expires_at == Instant(std::chrono::seconds(kNow + 3600)));
  CHECK(c.verify(c.token([](json& claims) { claims["aud"] = {"x", kAudience}; })).has_value());
  CHECK(c.verify(c.token([](json& claims) { claims.erase("nbf"); })).has_value());
}

TEST_CASE("verify_identity: ES256 where the issuer's algorithm is that") {
  Case c;
  c.trust.algorithm = TokenAlgorithm::kEs256;
  const std::string claims = github_claims(kNow).dump();
  CHECK(c.verify(c.other.token(c.other.header("k2"), claims)).has_value());
  const std::string signed_part = base64url(c.other.header("k2")) + '.' + base64url(claims);
  const std::string signature = c.other.sign(signed_part);
  check_all(c, {{"a byte too few", signed_part + '.' + base64url(signature.substr(1)),
                 FaultId::kIdentitySignature},
                {"a byte too many", signed_part + '.' + base64url(signature + 'x'),
                 FaultId::kIdentitySignature},
                {"no signature", signed_part + '.', FaultId::kIdentitySignature},
                {"all zero", signed_part + '.' + base64url(std::string(64, '\0')),
                 FaultId::kIdentitySignature},
                {"RS256", c.token(), FaultId::kIdentityAlgorithm}});
}

TEST_CASE("verify_identity: texts in objects have the path that leads to them") {
  Case c;
  c.trust.issuer = "https://kubernetes.default.svc";
  const auto got = c.verify(c.signer.token(c.signer.header("k1"), kubernetes_claims(kNow).dump()));
  REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
  CHECK(*got->claims().text({"kubernetes.io", "serviceaccount", "uid"}) == "14ee");
  CHECK(got->claims().text({"kubernetes.io", "serviceaccount"}) == nullptr);
  CHECK(got->claims().text({"kubernetes.io/serviceaccount/uid"}) == nullptr);
}

TEST_CASE("verify_identity: who signs otherwise than the issuer is refused") {
  Case c;
  const TokenSigner stranger = TokenSigner::rsa();
  const std::string claims = github_claims(kNow).dump();
  const std::string good = c.token();
  const std::string second = c.token([](json& all) { all["jti"] = "4a1b-0002"; });
  const std::string signed_part = good.substr(0, good.rfind('.'));
  const std::string none =
      base64url(R"({"alg":"none","kid":"k1"})") + '.' + base64url(claims) + '.';
  const std::string hmac = R"({"alg":"HS256","kid":"k1"})";
  const std::string embedded =
      R"({"alg":"RS256","jwk":)" + stranger.jwk("k1") +
      R"(,"jku":"https://evil.example","x5u":"https://evil.example","kid":"k1"})";
  check_all(c, {{"no algorithm and no signature", none, FaultId::kIdentityAlgorithm},
                {"no algorithm, and a signature", none + "AAAA", FaultId::kIdentityAlgorithm},
                {"an HMAC with the public key's modulus",
                 hmac_token(hmac, claims, c.signer.modulus()), FaultId::kIdentityAlgorithm},
                {"an HMAC with the published key", hmac_token(hmac, claims, c.signer.jwk("k1")),
                 FaultId::kIdentityAlgorithm},
                {"another case", c.with_header(R"({"alg":"rs256","kid":"k1"})"),
                 FaultId::kIdentityAlgorithm},
                {"a longer hash", c.with_header(R"({"alg":"RS512","kid":"k1"})"),
                 FaultId::kIdentityAlgorithm},
                {"the issuer's other algorithm", c.other.token(c.other.header("k2"), claims),
                 FaultId::kIdentityAlgorithm},
                {"a key that does not fit", c.signer.token(c.signer.header("k2"), claims),
                 FaultId::kIdentityAlgorithm},
                {"a stranger under a known name", stranger.token(stranger.header("k1"), claims),
                 FaultId::kIdentitySignature},
                {"a stranger who brings the key", stranger.token(embedded, claims),
                 FaultId::kIdentitySignature},
                {"a stranger", stranger.token(stranger.header("k9"), claims),
                 FaultId::kIdentityKeyUnknown},
                {"no key", c.with_header(R"({"alg":"RS256"})"), FaultId::kIdentityKeyUnknown},
                {"another token's signature", signed_part + second.substr(second.rfind('.')),
                 FaultId::kIdentitySignature},
                {"claims changed",
                 base64url(c.signer.header("k1")) + '.' +
                     base64url(github_claims(kNow + 1).dump()) + good.substr(good.rfind('.')),
                 FaultId::kIdentitySignature},
                {"no signature", signed_part + '.', FaultId::kIdentitySignature}});
}

TEST_CASE("verify_identity: another issuer, another audience and another time are refused") {
  Case c;
  const auto with = [&](const char* name, const json& value) {
    return c.token([&](json& claims) { claims[name] = value; });
  };
  check_all(
      c,
      {{"another issuer", with("iss", "https://evil.example"), FaultId::kIdentityIssuer},
       {"a slash more", with("iss", std::string(kGithubIssuer) + '/'), FaultId::kIdentityIssuer},
       {"another audience", with("aud", "sts.amazonaws.com"), FaultId::kIdentityAudience},
       {"more of ours", with("aud", std::string(kAudience) + ".evil"), FaultId::kIdentityAudience},
       {"other audiences", with("aud", {"a", "b"}), FaultId::kIdentityAudience},
       {"no audience in its list", with("aud", json::array()), FaultId::kIdentityAudience},
       {"over", with("exp", kNow - 60), FaultId::kIdentityExpired},
       {"not begun", with("nbf", kNow + 61), FaultId::kIdentityNotYetValid},
       {"issued in future", with("iat", kNow + 61), FaultId::kIdentityNotYetValid},
       {"for long", with("exp", kNow + 24 * 3600 + 1), FaultId::kIdentityLifetime}});
  // And a second less of each is not.
  for (const std::string& token : {with("exp", kNow - 59), with("nbf", kNow + 60),
                                   with("iat", kNow + 60), with("exp", kNow + 24 * 3600)}) {
    CHECK(c.verify(token).has_value());
  }
}

TEST_CASE("parse_identity_token: what is no such token is refused") {
  Case c;
  const std::string good = c.token();
  const std::string header = c.signer.header("k1");
  const auto claims = [&](const std::string& text) { return c.signer.token(header, text); };
  const auto with = [&](const char* name, const json& value) {
    return c.token([&](json& all) { all[name] = value; });
  };
  const auto without = [&](const char* name) {
    return c.token([&](json& all) { all.erase(name); });
  };
  std::string twice = github_claims(kNow).dump();
  twice.insert(1, R"("repository_id":"1",)");
  std::vector<Row> rows = {
      {"nothing", "", FaultId::kIdentityMalformed},
      {"dots", "..", FaultId::kIdentityMalformed},
      {"no signature part", good.substr(0, good.rfind('.')), FaultId::kIdentityMalformed},
      {"a part more", good + ".AAAA", FaultId::kIdentityMalformed},
      {"padding", good + "=", FaultId::kIdentityMalformed},
      {"a line break", good + "\n", FaultId::kIdentityMalformed},
      {"a claim twice", claims(twice), FaultId::kIdentityMalformed},
      {"a claim twice in an object", claims(R"({"x":{"a":1,"a":2}})"), FaultId::kIdentityMalformed},
      {"the algorithm twice", c.with_header(R"({"alg":"none","alg":"RS256","kid":"k1"})"),
       FaultId::kIdentityMalformed},
      {"crit", c.with_header(R"({"alg":"RS256","kid":"k1","crit":["exp"]})"),
       FaultId::kIdentityMalformed},
      {"no algorithm", c.with_header(R"({"kid":"k1"})"), FaultId::kIdentityMalformed},
      {"an algorithm that is a list", c.with_header(R"({"alg":["RS256"],"kid":"k1"})"),
       FaultId::kIdentityMalformed},
      {"a key name that is a number", c.with_header(R"({"alg":"RS256","kid":1})"),
       FaultId::kIdentityMalformed},
      {"claims that are a list", claims("[]"), FaultId::kIdentityMalformed},
      {"claims that are no JSON", claims("x"), FaultId::kIdentityMalformed},
      {"claims behind a NUL", claims(github_claims(kNow).dump() + std::string("\0{}", 3)),
       FaultId::kIdentityMalformed},
      {"an expiry that is text", with("exp", "1"), FaultId::kIdentityMalformed},
      {"an expiry that is negative", with("exp", -1), FaultId::kIdentityMalformed},
      {"an expiry that is a fraction", with("exp", 1e9 + 0.5), FaultId::kIdentityMalformed},
      {"an expiry beyond all time", with("exp", std::uint64_t{1} << 63),
       FaultId::kIdentityMalformed},
      {"a beginning that is null", with("nbf", nullptr), FaultId::kIdentityMalformed},
      {"an id that is a number", with("jti", 1), FaultId::kIdentityMalformed},
      {"an audience that is a number", with("aud", 1), FaultId::kIdentityMalformed},
      {"an audience among numbers", with("aud", {kAudience, 1}), FaultId::kIdentityMalformed},
      {"an issuer that is empty", with("iss", ""), FaultId::kIdentityMalformed},
      {"claims that are too deep",
       claims(R"({"a":)" + std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']') + "}"),
       FaultId::kIdentityMalformed},
  };
  for (const char* name : {"iss", "aud", "exp", "iat"}) {
    rows.push_back({std::string("no ") + name, without(name), FaultId::kIdentityMalformed});
  }
  check_all(c, rows);
}

TEST_CASE("parse_identity_token: every proper prefix is refused, and so is a huge one") {
  Case c;
  const std::string good = c.token();
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(c.verify(good.substr(0, size)).has_value());
  }
  const auto of_size = [&](std::size_t size) {
    return c.verify(c.token([&](json& claims) { claims["x"] = std::string(size, 'x'); }));
  };
  CHECK(of_size(11'000).has_value());
  CHECK(fault_of(of_size(12'500)) == FaultId::kIdentityMalformed);
  CHECK(fault_of(parse_identity_token(std::string(1'000'000, 'e'))) == FaultId::kIdentityMalformed);
  CHECK(fault_of(parse_identity_token(std::string(1'000'000, '.'))) == FaultId::kIdentityMalformed);
}

TEST_CASE(
    "VerifiedIdentity: a token is known again in whatever spelling, and is not taken for another") {
  Case c;
  c.trust.algorithm = TokenAlgorithm::kEs256;
  const auto name = [&](const json& claims) {
    const auto got = c.verify(c.other.token(c.other.header("k2"), claims.dump()));
    REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
    return got->token();
  };
  json claims = github_claims(kNow);
  const Digest first = name(claims);
  CHECK(name(claims) == first);  // ECDSA signs differently each time
  claims["sha"] = "other";
  CHECK(name(claims) == first);  // the issuer says that it is the same
  claims["jti"] = "4a1b-0002";
  CHECK(name(claims) != first);
  claims.erase("jti");
  const Digest unnamed = name(claims);
  CHECK(name(claims) == unnamed);
  claims["sha"] = "another";
  CHECK(name(claims) != unnamed);
}

TEST_CASE("looks_like_identity_token: tells tokens from the verifier's own") {
  Case c;
  CHECK(looks_like_identity_token(c.token()));
  CHECK_FALSE(looks_like_identity_token("assay-push-00"));
  CHECK_FALSE(looks_like_identity_token(""));
}
