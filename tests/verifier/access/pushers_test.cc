#include "verifier/access/pushers.h"

#include <doctest/doctest.h>

#include "tests/support/ci_claims.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_of.h"
#include "tests/support/ima_builder.h"
#include "tests/support/temp_dir.h"
#include "tests/support/token_signer.h"
#include "tests/support/vendor.h"
#include "verifier/access/push_token.h"

using namespace assay;
using namespace assay::testing;

namespace {

struct Case {
  TempDir dir;
  FakeClock clock;
  Store store = *Store::open(dir / "d.db", {});
  OperatorToken operators{"operators-secret-operators-secret"};
  Identities identities;
  std::vector<ClientAuthority> clients;
  Pushers pushers{store, clock, operators, identities, clients};

  std::string token(const std::string& name, std::vector<std::string> scopes) {
    const std::string secret = make_push_token();
    REQUIRE(store.add_push_token({.name = name,
                                  .scopes = std::move(scopes),
                                  .created_at = clock.now(),
                                  .expires_at = clock.now() + std::chrono::hours(1)},
                                 push_token_hash(secret), "operator"));
    return secret;
  }
};

}  // namespace

TEST_CASE("Pushers: the operators' token speaks for every name") {
  Case c;
  const auto got = c.pushers.authenticate({"Bearer operators-secret-operators-secret"});
  REQUIRE(got.has_value());
  CHECK(got->name == "operator");
  CHECK(got->may_push("anything"));
}

TEST_CASE("Pushers: a push token speaks for its scopes, for its time, and is marked as used") {
  Case c;
  const std::string secret = c.token("ci", {"shop/"});
  const auto got = c.pushers.authenticate({"Bearer " + secret});
  REQUIRE(got.has_value());
  CHECK(got->name == "token:ci");
  CHECK(got->may_push("shop/web"));
  CHECK(fault_of(got->may_push("host/debian")) == FaultId::kGoldenNameRefused);
  CHECK((*c.store.push_tokens())[0].last_used_at == c.clock.now());
  c.clock.advance(std::chrono::hours(1));
  CHECK(fault_of(c.pushers.authenticate({"Bearer " + secret})) == FaultId::kPushTokenExpired);
}

TEST_CASE("Pushers: an identity token speaks for the names that its rule has") {
  Case c;
  const TokenSigner signer = TokenSigner::rsa();
  std::vector<Identities::Issuer> issuers;
  issuers.push_back({{.trust = {.issuer = kGithubIssuer, .audience = kAudience},
                      .rules = {{.names = {*NameScope::parse("shop/")},
                                 .conditions = {{.claim = {"repository_id"}, .values = {"74"}}}}}},
                     std::make_unique<FixedKeys>(
                         *parse_key_set(as_bytes(TokenSigner::key_set(signer.jwk("k")))))});
  Identities identities(std::move(issuers));
  const Pushers pushers(c.store, c.clock, c.operators, identities, c.clients);
  const std::string token = signer.token(signer.header("k"), github_claims(1'700'000'000).dump());
  const auto got = pushers.authenticate({"Bearer " + token});
  REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
  CHECK(got->name == "github:repository_id=74 run_id=30433642");
  CHECK(got->may_push("shop/web"));
  CHECK(fault_of(got->may_push("host/debian")) == FaultId::kGoldenNameRefused);
  const PushContent one{.set_name = "shop/web", .set = digest_of("one")};
  const PushContent two{.set_name = "shop/web", .set = digest_of("two")};
  const auto key = pushers.claim(*got, one);
  REQUIRE(key.has_value());
  CHECK(key->starts_with("identity-token:"));
  CHECK(fault_of(pushers.claim(*got, two)) == FaultId::kIdentityReplayed);
  CHECK(fault_of(pushers.authenticate({"Bearer " + token.substr(0, token.size() - 1)})) !=
        std::nullopt);
  c.clock.advance(std::chrono::minutes(61));
  CHECK(fault_of(pushers.authenticate({"Bearer " + token})) == FaultId::kIdentityExpired);
}

TEST_CASE("Pushers: a client certificate speaks where nothing else does") {
  Case c;
  const std::string secret = c.token("ci", {"host/"});
  const Vendor authority;
  const openssl::EvpPkey key(EVP_EC_gen("P-256"));
  const std::string chain =
      authority.shown(authority.client_plan(key.get(), "URI:spiffe://example.org/ci/shop"));
  c.clock.advance(std::chrono::sys_days(std::chrono::year(2026) / 12 / 1) - c.clock.now());
  REQUIRE(fault_of(c.pushers.authenticate({"", chain})) == FaultId::kIdentityCertificateUntrusted);
  c.clients.push_back({.roots = authority.roots(),
                       .rules = {{.names = {*NameScope::parse("shop/")},
                                  .client = "spiffe://example.org/ci/shop"}}});
  const auto got = c.pushers.authenticate({"", chain});
  REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
  CHECK(got->name == "certificate:spiffe://example.org/ci/shop");
  CHECK(got->may_push("shop/web"));
  CHECK(fault_of(got->may_push("host/debian")) == FaultId::kGoldenNameRefused);
  CHECK(c.pushers.claim(*got, {.set_name = "shop/web", .idempotency_key = "7"}) == "7");
  // A token decides alone, whether it is good or not.
  CHECK(c.pushers.authenticate({"Bearer operators-secret-operators-secret", chain})->name ==
        "operator");
  CHECK(fault_of(c.pushers.authenticate({"Bearer " + secret + "x", chain})) ==
        FaultId::kPushTokenUnknown);
  CHECK(fault_of(c.pushers.authenticate({"Bearer x", chain})) == FaultId::kUnauthenticated);
  CHECK(fault_of(c.pushers.authenticate({" ", chain})) == FaultId::kUnauthenticated);
  c.clock.advance(std::chrono::hours(24 * 365 * 25));
  CHECK(fault_of(c.pushers.authenticate({"", chain})) == FaultId::kIdentityExpired);
}

TEST_CASE("Pushers: other callers' pushes are named by them alone") {
  Case c;
  const auto got = c.pushers.authenticate({"Bearer operators-secret-operators-secret"});
  REQUIRE(got.has_value());
  for (const char* set : {"one", "two"}) {
    const PushContent content{.set_name = "a", .set = digest_of(set), .idempotency_key = "7"};
    CHECK(c.pushers.claim(*got, content) == "7");
  }
  CHECK(c.pushers.claim(*got, {.set_name = "a", .set = digest_of("x")}) == "");
}

TEST_CASE("Pushers: whatever else is refused") {
  Case c;
  const std::string secret = c.token("ci", {"*"});
  for (const std::string& header :
       {std::string(), std::string("Bearer "), secret, "bearer " + secret, "Basic " + secret,
        std::string("Bearer operators-secret"), "Bearer x" + secret}) {
    CAPTURE(header);
    CHECK(fault_of(c.pushers.authenticate({header})) == FaultId::kUnauthenticated);
  }
  CHECK(fault_of(c.pushers.authenticate({"Bearer " + secret + "x"})) == FaultId::kPushTokenUnknown);
  CHECK(fault_of(c.pushers.authenticate({"Bearer " + make_push_token()})) ==
        FaultId::kPushTokenUnknown);
  REQUIRE(c.store.revoke_push_token("ci", {.by = "operator", .at = c.clock.now()}));
  CHECK(fault_of(c.pushers.authenticate({"Bearer " + secret})) == FaultId::kPushTokenUnknown);
}
