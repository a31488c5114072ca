#include "verifier/access/pushers.h"

#include <doctest/doctest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/fault_of.h"
#include "tests/support/temp_dir.h"
#include "verifier/access/push_token.h"

using namespace assay;
using namespace assay::testing;

namespace {

struct Case {
  TempDir dir;
  FakeClock clock;
  Store store = *Store::open(dir / "d.db", {});
  OperatorToken operators{"operators-secret-operators-secret"};
  Pushers pushers{store, clock, operators};

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
  const auto got = c.pushers.authenticate("Bearer operators-secret-operators-secret");
  REQUIRE(got.has_value());
  CHECK(got->name == "operator");
  CHECK(got->may_push("anything"));
}

TEST_CASE("Pushers: a push token speaks for its scopes, for its time, and is marked as used") {
  Case c;
  const std::string secret = c.token("ci", {"shop/"});
  const auto got = c.pushers.authenticate("Bearer " + secret);
  REQUIRE(got.has_value());
  CHECK(got->name == "token:ci");
  CHECK(got->may_push("shop/web"));
  CHECK(fault_of(got->may_push("host/debian")) == FaultId::kGoldenNameRefused);
  CHECK((*c.store.push_tokens())[0].last_used_at == c.clock.now());
  c.clock.advance(std::chrono::hours(1));
  CHECK(fault_of(c.pushers.authenticate("Bearer " + secret)) == FaultId::kPushTokenExpired);
}

TEST_CASE("Pushers: whatever else is refused") {
  Case c;
  const std::string secret = c.token("ci", {"*"});
  for (const std::string& header :
       {std::string(), std::string("Bearer "), secret, "bearer " + secret, "Basic " + secret,
        std::string("Bearer operators-secret"), "Bearer x" + secret}) {
    CAPTURE(header);
    CHECK(fault_of(c.pushers.authenticate(header)) == FaultId::kUnauthenticated);
  }
  CHECK(fault_of(c.pushers.authenticate("Bearer " + secret + "x")) == FaultId::kPushTokenUnknown);
  CHECK(fault_of(c.pushers.authenticate("Bearer " + make_push_token())) ==
        FaultId::kPushTokenUnknown);
  REQUIRE(c.store.revoke_push_token("ci", {.by = "operator", .at = c.clock.now()}));
  CHECK(fault_of(c.pushers.authenticate("Bearer " + secret)) == FaultId::kPushTokenUnknown);
}
