#include "verifier/services/golden_sets.h"

#include <algorithm>
#include <optional>

#include "tests/support/fault_of.h"
#include "tests/verifier/services/golden_case.h"

using namespace assay;
using namespace assay::testing;

namespace {

Result<GoldenPush> push(GoldenCase& c, std::string_view authorization, const std::string& set,
                        const PushWishes& wishes = {}) {
  ASSAY_TRY(OpenPush push, c.open(authorization));
  for (std::size_t i = 0; i < set.size(); i += 16) {
    ASSAY_OK(push.add(as_bytes(std::string_view(set).substr(i, 16))));
  }
  return push.store(wishes);
}

}  // namespace

TEST_CASE("GoldenSets: a push in pieces is the next generation, and what appraisals use") {
  GoldenCase c;
  const auto first = push(c, c.ci("shop/"), set_text("shop/web", "one"));
  REQUIRE_MESSAGE(first, first.error().detail);
  CHECK(first->changed);
  CHECK(first->set.generation == 1);
  CHECK(first->set.pushed_by == "token:ci");
  CHECK(first->set.state == GoldenState::kApproved);
  CHECK(c.index.current()->contains(digest_of("one")));
  CHECK(c.counting == 1);
  CHECK(c.changes == 1);
  const auto same = push(c, GoldenCase::kOperators, set_text("shop/web", "one"));
  REQUIRE(same);
  CHECK_FALSE(same->changed);
  CHECK(same->set.generation == 1);
  CHECK(c.changes == 1);
  const auto draft = push(c, GoldenCase::kOperators, set_text("shop/web", "two"), {.draft = true});
  REQUIRE(draft);
  CHECK(draft->set.state == GoldenState::kDraft);
  CHECK_FALSE(c.index.current()->contains(digest_of("two")));
}

TEST_CASE("GoldenSets: what a push may not be is refused, and changes nothing") {
  GoldenCase c;
  const std::string ci = c.ci("shop/");
  const std::string web = set_text("shop/web", "one");
  struct Row {
    std::string why;
    std::string authorization;
    std::string set;
    PushWishes wishes;
    FaultId want;
  };
  for (const Row& row : std::vector<Row>{
           {"no token", "", web, {}, FaultId::kUnauthenticated},
           {"a token of nobody",
            "Bearer " + make_push_token(),
            web,
            {},
            FaultId::kPushTokenUnknown},
           {"another's name", ci, set_text("host/a", "one"), {}, FaultId::kGoldenNameRefused},
           {"no set", ci, "{}", {}, FaultId::kGoldenMalformed},
           {"nothing", ci, "", {}, FaultId::kGoldenMalformed},
           {"a long key",
            ci,
            web,
            {.idempotency_key = std::string(129, 'k')},
            FaultId::kRequestInvalid},
           {"a key of two lines",
            ci,
            web,
            {.idempotency_key = "a\nb"},
            FaultId::kRequestInvalid}}) {
    CAPTURE(row.why);
    CHECK(fault_of(push(c, row.authorization, row.set, row.wishes)) == row.want);
  }
  CHECK(c.store.golden_sets()->empty());
  CHECK(c.changes == 0);
}

TEST_CASE("GoldenSets: a push that could last longer than 15 minutes gets no place") {
  GoldenCase c;
  const Instant latest = c.clock.now() + kLongestPush;
  for (int i = 0; i < 2 * kMaxPushesAtOnce; ++i) {
    CHECK(fault_of(
              c.sets.open_push({GoldenCase::kOperators}, latest + std::chrono::milliseconds(1))) ==
          FaultId::kRequestInvalid);
    // Who may not push learns nothing else.
    CHECK(fault_of(c.sets.open_push({""}, Instant::max())) == FaultId::kUnauthenticated);
  }
  CHECK(c.sets.open_push({GoldenCase::kOperators}, latest).has_value());
}

TEST_CASE("GoldenSets: four pushes are open at once, and another when one has ended") {
  GoldenCase c;
  std::vector<std::optional<OpenPush>> pushes;
  for (int i = 0; i < kMaxPushesAtOnce; ++i) {
    auto push = c.open(GoldenCase::kOperators);
    REQUIRE(push);
    pushes.emplace_back(*std::move(push));
  }
  for (int i = 0; i < 3; ++i) {
    CHECK(fault_of(c.open(GoldenCase::kOperators)) == FaultId::kUnavailable);
  }
  pushes[1].reset();
  CHECK(c.open(GoldenCase::kOperators).has_value());  // and gives it back at once
  CHECK(c.open(GoldenCase::kOperators).has_value());
  pushes[1].emplace(*c.open(GoldenCase::kOperators));
  CHECK(fault_of(c.open(GoldenCase::kOperators)) == FaultId::kUnavailable);
}

TEST_CASE("GoldenSets: a file is over the limit by its last byte") {
  GoldenCase c;
  auto push = c.open(GoldenCase::kOperators);
  REQUIRE(push);
  CHECK(push->empty());
  const Bytes piece(std::size_t{36} << 20);
  for (int i = 0; i < 10; ++i) REQUIRE(push->add(piece));  // 360 MiB
  CHECK(fault_of(push->add(ByteView(piece).first(1))) == FaultId::kGoldenTooLarge);
  CHECK(fault_of(push->expect(1)) == FaultId::kGoldenTooLarge);
  CHECK(push->add({}).has_value());
  const auto other = c.open(GoldenCase::kOperators);
  REQUIRE(other);
  CHECK(other->expect(std::uint64_t{360} << 20).has_value());
  CHECK(fault_of(other->expect((std::uint64_t{360} << 20) + 1)) == FaultId::kGoldenTooLarge);
  CHECK(fault_of(other->expect(~std::uint64_t{0})) == FaultId::kGoldenTooLarge);
}

TEST_CASE("GoldenSets: revoking asks for a reason that fits") {
  GoldenCase c;
  REQUIRE(push(c, GoldenCase::kOperators, set_text("a", "one")));
  CHECK(fault_of(c.sets.revoke({.name = "a"}, "")) == FaultId::kRequestInvalid);
  CHECK(fault_of(c.sets.revoke({.name = "a"}, std::string(513, 'r'))) == FaultId::kRequestInvalid);
  REQUIRE(c.sets.revoke({.name = "a"}, std::string(512, 'r')));
  CHECK(c.counting == 0);
  CHECK(fault_of(push(c, GoldenCase::kOperators, set_text("a", "one"))) == FaultId::kGoldenRevoked);
  CHECK(fault_of(c.sets.approve({.name = "none"})) == FaultId::kNotFound);
}
