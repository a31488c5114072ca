#include "verifier/store/audit_rows.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"
#include "tests/verifier/store/golden_case.h"

namespace assay {
namespace {

using testing::digest;
using testing::draft_of;
using testing::fault_of;
using testing::kNow;
using testing::later;
using testing::push_of;
using testing::set_of;
using testing::StoreCase;

TEST_CASE("audit: has every change, and cannot be changed") {
  StoreCase c;
  GoldenPushRequest push = push_of(set_of("a", {1}), 9);
  push.by = "token:ci";
  push.signed_by = {"sha256:aa", "sha256:bb"};
  REQUIRE(c.store->push_golden(push, kNow));
  REQUIRE(c.store->push_golden(push, later(1)));  // no change
  REQUIRE(c.store->push_golden(draft_of(set_of("a", {2}), 10), later(2)));
  REQUIRE(c.store->approve_golden({"a"}, {.by = "operator", .at = later(3)}, {}));
  REQUIRE(c.store->revoke_golden({"a", 1}, {.by = "operator", .at = later(4)}, "leaked"));
  c.reopen();
  const auto entries = c.store->audit(0, 10);
  REQUIRE(entries);
  REQUIRE(entries->size() == 4);
  CHECK((*entries)[3].actor == "token:ci");
  CHECK((*entries)[3].action == "golden.push");
  CHECK((*entries)[3].subject == "a");
  CHECK((*entries)[3].at == kNow);
  CHECK((*entries)[3].detail ==
        "generation 1, " + format_digest(digest(9)) + ", approved, signed by sha256:aa sha256:bb");
  CHECK((*entries)[1].action == "golden.approve");
  CHECK((*entries)[0].detail.ends_with("revoked, signed by sha256:aa sha256:bb: leaked"));
  CHECK(c.store->audit((*entries)[1].id, 1)->front().id == (*entries)[2].id);
  CHECK(c.store->golden_set({"a", 1})->signed_by == push.signed_by);
  CHECK(c.store->golden_set({"a", 1})->pushed_by == "token:ci");

  c.store.reset();
  auto database = Database::open(c.path);
  REQUIRE(database);
  CHECK(fault_of(database->run("UPDATE audit SET actor = 'nobody'")) == FaultId::kStoreFailed);
  CHECK(fault_of(database->run("DELETE FROM audit")) == FaultId::kStoreFailed);
}

TEST_CASE("push tokens: known by their hash, for a time, and their use is seen") {
  StoreCase c;
  const PushTokenRecord token{
      .name = "ci", .scopes = {"shop/", "base"}, .created_at = kNow, .expires_at = later(60)};
  REQUIRE(c.store->add_push_token(token, digest(1), "operator"));
  CHECK(fault_of(c.store->add_push_token(token, digest(2), "operator")) == FaultId::kAlreadyExists);
  CHECK_FALSE((*c.store->push_tokens())[0].last_used_at.has_value());
  const auto used = c.store->use_push_token(digest(1), later(59));
  REQUIRE(used);
  CHECK(used->name == "ci");
  CHECK(used->scopes == token.scopes);
  c.reopen();
  CHECK((*c.store->push_tokens())[0].last_used_at == later(59));
  CHECK(fault_of(c.store->use_push_token(digest(2), kNow)) == FaultId::kPushTokenUnknown);
  CHECK(fault_of(c.store->use_push_token(digest(1), later(60))) == FaultId::kPushTokenExpired);
  REQUIRE(c.store->revoke_push_token("ci", {.by = "operator", .at = later(1)}));
  CHECK(fault_of(c.store->use_push_token(digest(1), kNow)) == FaultId::kPushTokenUnknown);
  CHECK(fault_of(c.store->revoke_push_token("ci", {.by = "operator", .at = later(1)})) ==
        FaultId::kNotFound);
  CHECK((*c.store->audit(0, 9))[0].action == "push_token.revoke");
  CHECK((*c.store->audit(0, 9))[1].detail == "for shop/ base");
}

TEST_CASE("push tokens: there are so many, and then no more") {
  StoreCase c;
  c.edit(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) "
      "INSERT INTO push_tokens SELECT 't' || i, 'h' || i, '*', 0, 0, NULL FROM n");
  c.reopen();
  const PushTokenRecord last{.name = "last", .scopes = {"*"}};
  REQUIRE(c.store->add_push_token(last, digest(1), "operator"));
  const PushTokenRecord more{.name = "more", .scopes = {"*"}};
  CHECK(fault_of(c.store->add_push_token(more, digest(2), "operator")) == FaultId::kRequestInvalid);
}

}  // namespace
}  // namespace assay
