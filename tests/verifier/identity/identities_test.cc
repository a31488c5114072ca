#include "verifier/identity/identities.h"

#include <doctest/doctest.h>

#include <functional>

#include "tests/support/ci_claims.h"
#include "tests/support/fault_of.h"
#include "tests/support/token_signer.h"

using namespace assay;
using namespace assay::testing;
using nlohmann::json;

namespace {

constexpr std::int64_t kNow = 1'700'000'000;
constexpr Instant kThen{std::chrono::seconds(kNow)};

std::unique_ptr<KeySource> keys_of(const TokenSigner& signer) {
  return std::make_unique<FixedKeys>(
      *parse_key_set(as_bytes(TokenSigner::key_set(signer.jwk("k")))));
}

IdentitySettings settings(IdentityKind kind, const std::string& issuer, const ClaimPath& claim,
                          const std::string& value) {
  return {.kind = kind,
          .trust = {.issuer = issuer, .audience = kAudience},
          .rules = {{.names = {*NameScope::parse("shop/")},
                     .conditions = {{.claim = claim, .values = {value}}}}}};
}

struct Case {
  TokenSigner github = TokenSigner::rsa();
  TokenSigner gitlab = TokenSigner::rsa();
  Identities identities = Identities(issuers());

  std::vector<Identities::Issuer> issuers() const {
    std::vector<Identities::Issuer> out;
    out.push_back(
        {settings(IdentityKind::kGithub, kGithubIssuer, {"repository_id"}, "74"), keys_of(github)});
    out.push_back({settings(IdentityKind::kGitlab, "https://gitlab.example", {"project_id"}, "20"),
                   keys_of(gitlab)});
    return out;
  }
  Result<AdmittedIdentity> authenticate(const TokenSigner& signer, const json& claims) {
    return identities.authenticate(signer.token(signer.header("k"), claims.dump()), kThen);
  }
};

json changed(json claims, const char* name, const json& value) {
  claims[name] = value;
  return claims;
}

PushContent content(const std::string& name, const std::string& set, const std::string& key = "") {
  return {.set_name = name, .set = hash(HashAlg::kSha256, as_bytes(set)), .idempotency_key = key};
}

}  // namespace

TEST_CASE("Identities: each issuer's tokens are judged by its own keys and rules") {
  Case c;
  const auto github = c.authenticate(c.github, github_claims(kNow));
  REQUIRE_MESSAGE(github.has_value(), format_fault(github.error()));
  CHECK(github->name == "github:repository_id=74 run_id=30433642");
  REQUIRE(github->scopes.size() == 1);
  CHECK(github->scopes[0].pattern() == "shop/");
  CHECK(github->use.until == kThen + std::chrono::seconds(3660));
  CHECK(c.authenticate(c.gitlab, gitlab_claims(kNow))->name == "gitlab:project_id=20 job_id=302");
  CHECK(fault_of(c.authenticate(c.gitlab, github_claims(kNow))) == FaultId::kIdentitySignature);
  CHECK(fault_of(c.authenticate(c.github, gitlab_claims(kNow))) == FaultId::kIdentitySignature);
  // One issuer's token with the other's claims in it.
  const json mixed = changed(github_claims(kNow), "iss", "https://gitlab.example");
  CHECK(fault_of(c.authenticate(c.gitlab, mixed)) == FaultId::kIdentityRefused);
}

TEST_CASE("Identities: an issuer that is not configured, and what no rule admits, are refused") {
  Case c;
  CHECK(fault_of(c.authenticate(c.github, changed(github_claims(kNow), "iss", "https://x\n"))) ==
        FaultId::kIdentityIssuer);
  CHECK(fault_of(c.authenticate(c.github, changed(github_claims(kNow), "repository_id", "75"))) ==
        FaultId::kIdentityRefused);
  CHECK(fault_of(c.identities.authenticate("eyJ", kThen)) == FaultId::kIdentityMalformed);
  Identities nobody;
  CHECK(fault_of(nobody.authenticate(
            c.github.token(c.github.header("k"), github_claims(kNow).dump()), kThen)) ==
        FaultId::kIdentityIssuer);
}

TEST_CASE("Identities: a token pushes each name once, and again what it has pushed") {
  Identities identities;
  const TokenUse use{.token = hash(HashAlg::kSha256, as_bytes("token")),
                     .until = kThen + std::chrono::hours(1)};
  const auto first = identities.claim(use, content("shop/web", "one"), kThen);
  REQUIRE(first.has_value());
  CHECK(first->starts_with("identity-token:"));
  CHECK(identities.claim(use, content("shop/web", "one"), kThen) == *first);
  const auto second = identities.claim(use, content("shop/db", "one"), kThen);
  REQUIRE(second.has_value());
  CHECK(*second != *first);
  CHECK(fault_of(identities.claim(use, content("shop/web", "two"), kThen)) ==
        FaultId::kIdentityReplayed);
  // Another key would bring an old set back that a newer one has replaced.
  CHECK(fault_of(identities.claim(use, content("shop/web", "one", "job 7"), kThen)) ==
        FaultId::kIdentityReplayed);
  CHECK(identities.claim(use, content("shop/api", "one", "job 7"), kThen) == "job 7");
  CHECK(fault_of(identities.claim(use, content("shop/api", "one"), kThen)) ==
        FaultId::kIdentityReplayed);

  const TokenUse other{.token = hash(HashAlg::kSha256, as_bytes("other")), .until = use.until};
  const auto others = identities.claim(other, content("shop/web", "two"), kThen);
  REQUIRE(others.has_value());
  CHECK(*others != *first);
}

TEST_CASE("TokenUses: no token is forgotten before its time, and there is an end to them") {
  TokenUses uses;
  const auto token = [](std::size_t i, std::chrono::seconds lasts) {
    return TokenUse{.token = hash(HashAlg::kSha256, as_bytes(std::to_string(i))),
                    .until = kThen + lasts};
  };
  using std::chrono::seconds;
  REQUIRE(uses.claim(token(0, seconds(60)), content("a", "one"), kThen).has_value());
  CHECK(fault_of(uses.claim(token(0, seconds(60)), content("a", "two"), kThen + seconds(59))) ==
        FaultId::kIdentityReplayed);
  for (std::size_t i = 1; i < kMaxTokensInUse; ++i) {
    REQUIRE(uses.claim(token(i, seconds(100)), content("a", "one"), kThen).has_value());
  }
  CHECK(fault_of(uses.claim(token(kMaxTokensInUse, seconds(100)), content("a", "one"), kThen)) ==
        FaultId::kUnavailable);
  CHECK(fault_of(uses.claim(token(5, seconds(100)), content("a", "two"), kThen)) ==
        FaultId::kIdentityReplayed);
  CHECK(uses.claim(token(5, seconds(100)), content("b", "two"), kThen).has_value());
  // The first one's time is over, which makes a place.
  CHECK(uses.claim(token(kMaxTokensInUse, seconds(100)), content("a", "one"), kThen + seconds(60))
            .has_value());
}

TEST_CASE("TokenUses: a token pushes so many names, and no more") {
  TokenUses uses;
  const TokenUse use{.token = hash(HashAlg::kSha256, as_bytes("t")),
                     .until = kThen + std::chrono::hours(1)};
  for (std::size_t i = 0; i < kMaxNamesOfToken; ++i) {
    REQUIRE(uses.claim(use, content(std::to_string(i), "x"), kThen).has_value());
  }
  CHECK(fault_of(uses.claim(use, content("more", "x"), kThen)) == FaultId::kIdentityReplayed);
  CHECK(uses.claim(use, content("7", "x"), kThen).has_value());
}
