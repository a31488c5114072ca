#include "verifier/store/golden_rows.h"

#include <doctest/doctest.h>

#include "tests/support/evidence_case.h"
#include "tests/support/fault_of.h"
#include "tests/verifier/store/golden_case.h"

namespace assay {
namespace {

using testing::count;
using testing::digest;
using testing::draft_of;
using testing::fault_of;
using testing::host_set;
using testing::kNow;
using testing::later;
using testing::push_of;
using testing::read_test_data;
using testing::set_of;
using testing::snapshot_at;
using testing::states;
using testing::StoreCase;

TEST_CASE("push_golden: a set and its files are there after a restart") {
  StoreCase c;
  const auto push = c.store->push_golden(push_of(host_set(), 9), kNow);
  REQUIRE(push);
  CHECK(push->changed);
  c.reopen();
  const auto set = c.store->golden_set({"host/debian-12"});
  REQUIRE(set);
  CHECK(set->digest == digest(9));
  CHECK(set->generation == 1);
  CHECK(set->source == "rootfs");
  CHECK(set->files == 3);
  CHECK(set->hashes == 3);  // one file is there twice
  CHECK(set->pushed_at == kNow);
  CHECK(*c.store->golden_files({"host/debian-12"}, 0, 10) == host_set().files);
}

TEST_CASE("push_golden: keys of signers are there after a restart, and go with their set") {
  StoreCase c;
  GoldenSet set{.name = "signed", .source = "signers", .files = {}, .signers = {}};
  for (const char* name : {"ima-ec", "ima-rsa"}) {
    const Bytes spki = *signer_spki(read_test_data("keys/" + std::string(name) + ".pub"));
    set.signers.push_back({name, *parse_file_signer(spki)});
  }
  REQUIRE(c.store->push_golden(push_of(set, 9), kNow));
  REQUIRE(c.store->push_golden(push_of(host_set(), 8), kNow));
  c.reopen();
  CHECK(c.store->golden_set({"signed"})->signers == 2);
  CHECK(c.store->golden_set({"host/debian-12"})->signers == 0);
  CHECK(*c.store->golden_signers({"signed"}) == set.signers);
  const GoldenSnapshot snapshot = snapshot_at(*c.store, kNow);
  REQUIRE(snapshot.signers().size() == 2);
  CHECK(snapshot.set_name(snapshot.signers()[1].set) == "signed");
  CHECK(snapshot.signers()[1].key.fingerprint() == set.signers[1].key.fingerprint());
  set.signers.pop_back();
  REQUIRE(c.store->push_golden(push_of(set, 7), kNow));
  CHECK(snapshot_at(*c.store, later(100)).signers().size() == 1);
  CHECK(fault_of(c.store->golden_signers({"none"})) == FaultId::kNotFound);
}

TEST_CASE("push_golden: the set that stands already changes nothing") {
  StoreCase c;
  REQUIRE(c.store->push_golden(push_of(host_set(), 9), kNow));
  const auto again = c.store->push_golden(push_of(host_set(), 9), later(60));
  REQUIRE(again);
  CHECK_FALSE(again->changed);
  CHECK(again->set.generation == 1);
  CHECK(again->set.pushed_at == kNow);
}

TEST_CASE(
    "push_golden: other content of a name is the next generation, the one before counts a while") {
  StoreCase c;
  REQUIRE(c.store->push_golden(push_of(host_set(), 9), kNow));
  GoldenSet next = host_set();
  next.files = {{.path = "/bin/new", .digests = {digest(3)}}};
  const auto push = c.store->push_golden(push_of(next, 10), later(60));
  REQUIRE(push);
  CHECK(push->changed);
  CHECK(push->set.generation == 2);
  CHECK(*c.store->golden_files({"host/debian-12"}, 0, 10) == next.files);
  CHECK(*c.store->golden_files({"host/debian-12", 1}, 0, 10) == host_set().files);
  CHECK(c.store->golden_sets()->size() == 1);
  c.reopen();
  CHECK(c.store->golden_set({"host/debian-12", 1})->golden_until == later(160));
  CHECK(snapshot_at(*c.store, later(159)).contains(digest(1)));
  CHECK(snapshot_at(*c.store, later(159)).contains(digest(3)));
  CHECK_FALSE(snapshot_at(*c.store, later(160)).contains(digest(1)));
  CHECK(snapshot_at(*c.store, later(160)).contains(digest(3)));
}

TEST_CASE("push_golden: a draft does not count before it is approved") {
  StoreCase c;
  REQUIRE(c.store->push_golden(push_of(set_of("a", {1}), 9), kNow));
  const auto draft = c.store->push_golden(draft_of(set_of("a", {2}), 10), later(1));
  REQUIRE(draft);
  CHECK(draft->set.state == GoldenState::kDraft);
  CHECK_FALSE(snapshot_at(*c.store, later(1)).contains(digest(2)));
  CHECK(c.store->golden_set({"a"})->generation == 1);  // what counts
  // The same draft is no change; another one takes its place, under a number of its own.
  CHECK_FALSE(c.store->push_golden(draft_of(set_of("a", {2}), 10), later(2))->changed);
  CHECK(c.store->push_golden(draft_of(set_of("a", {3}), 11), later(3))->set.generation == 3);
  CHECK(states(*c.store, "a") == std::vector<std::string>{"3 draft", "1 approved"});

  const auto approved =
      c.store->approve_golden({"a"}, {.by = "operator", .at = later(4)}, std::chrono::seconds(10));
  REQUIRE(approved);
  CHECK(approved->generation == 3);
  CHECK(approved->state_since == later(4));
  CHECK(states(*c.store, "a") == std::vector<std::string>{"3 approved", "1 superseded"});
  CHECK(snapshot_at(*c.store, later(4)).contains(digest(3)));
  CHECK(snapshot_at(*c.store, later(13)).contains(digest(1)));
  CHECK_FALSE(snapshot_at(*c.store, later(14)).contains(digest(1)));
}

TEST_CASE("approve_golden: an earlier generation counts again") {
  StoreCase c;
  REQUIRE(c.store->push_golden(push_of(set_of("a", {1}), 9), kNow));
  REQUIRE(c.store->push_golden(push_of(set_of("a", {2}), 10), kNow));
  REQUIRE(c.store->approve_golden({"a", 1}, {.by = "operator", .at = later(1)}, {}));
  CHECK(states(*c.store, "a") == std::vector<std::string>{"2 superseded", "1 approved"});
  CHECK_FALSE(c.store->golden_set({"a", 1})->golden_until.has_value());
  CHECK(snapshot_at(*c.store, later(1000)).contains(digest(1)));
  CHECK_FALSE(snapshot_at(*c.store, later(1)).contains(digest(2)));
  CHECK(fault_of(c.store->approve_golden({"a", 3}, {.by = "x", .at = kNow}, {})) ==
        FaultId::kNotFound);
  CHECK(fault_of(c.store->approve_golden({"b"}, {.by = "x", .at = kNow}, {})) ==
        FaultId::kNotFound);
}

TEST_CASE("revoke_golden: never counts again, by whatever way") {
  StoreCase c;
  const GoldenActor actor{.by = "operator", .at = later(5)};
  REQUIRE(c.store->push_golden(push_of(set_of("a", {1, 4}), 9), kNow));
  REQUIRE(c.store->push_golden(push_of(set_of("a", {2}), 10), kNow));
  REQUIRE(c.store->push_golden(push_of(set_of("b", {4}), 11), kNow));
  const auto one = c.store->revoke_golden({"a", 1}, actor, "leaked");
  REQUIRE(one);
  REQUIRE(one->size() == 1);
  CHECK((*one)[0].reason == "leaked");
  const GoldenSnapshot after = snapshot_at(*c.store, later(5));
  CHECK_FALSE(after.contains(digest(1)));  // although its grace is not over
  CHECK(after.contains(digest(4)));        // another set vouches for it
  CHECK(after.contains(digest(2)));

  CHECK(c.store->revoke_golden({"a"}, actor, "all")->size() == 1);
  CHECK(c.store->revoke_golden({"a"}, actor, "again")->empty());
  CHECK_FALSE(snapshot_at(*c.store, later(5)).contains(digest(2)));
  CHECK(fault_of(c.store->push_golden(push_of(set_of("a", {2}), 10), later(6))) ==
        FaultId::kGoldenRevoked);
  CHECK(fault_of(c.store->approve_golden({"a", 2}, actor, {})) == FaultId::kGoldenRevoked);
  CHECK(c.store->push_golden(push_of(set_of("a", {3}), 12), later(6))->set.generation == 3);
  CHECK(fault_of(c.store->revoke_golden({"c"}, actor, "x")) == FaultId::kNotFound);
  CHECK(fault_of(c.store->revoke_golden({"a", 7}, actor, "x")) == FaultId::kNotFound);
}

TEST_CASE(
    "push_golden: a push that is repeated under its key is stored once, whatever came between") {
  StoreCase c;
  GoldenPushRequest old = push_of(set_of("a", {1}), 9);
  old.idempotency_key = "run-1";
  REQUIRE(c.store->push_golden(old, kNow));
  REQUIRE(c.store->push_golden(push_of(set_of("a", {2}), 10), later(1)));
  const auto again = c.store->push_golden(old, later(2));
  REQUIRE(again);
  CHECK_FALSE(again->changed);
  CHECK(again->set.generation == 1);
  CHECK(c.store->golden_set({"a"})->generation == 2);

  GoldenPushRequest other = push_of(set_of("a", {3}), 11);
  other.idempotency_key = "run-1";
  CHECK(fault_of(c.store->push_golden(other, later(3))) == FaultId::kGoldenConflict);
  other.by = "token:ci";  // keys of others are others
  CHECK(c.store->push_golden(other, later(3))->changed);
  // It is forgotten after its time: then the set is pushed again.
  CHECK(c.store->push_golden(old, later(24 * 3600 + 1))->set.generation == 4);
}

TEST_CASE("push_golden: what was superseded long ago is forgotten, but not within its grace") {
  StoreCase c;
  for (std::uint8_t i = 0; i < 30; ++i) {
    REQUIRE(c.store->push_golden(push_of(set_of("a", {i}), i), later(i)));
  }
  CHECK(c.store->golden_history("a")->size() == 30);
  CHECK(snapshot_at(*c.store, later(30)).contains(digest(0)));
  REQUIRE(c.store->push_golden(push_of(set_of("a", {30}), 30), later(1000)));
  CHECK(c.store->golden_history("a")->size() == 1 + kMaxSupersededKept);
  CHECK(count(c, "golden_groups") == 1 + kMaxSupersededKept);
  for (std::uint8_t i = 31; i < 130; ++i) {
    REQUIRE(c.store->push_golden(push_of(set_of("a", {i}), i), later(1000)));
  }
  CHECK(c.store->golden_history("a")->size() == 1 + kMaxInGrace);
}

TEST_CASE("push_golden: so many idempotency keys of one caller are known, and then no more") {
  StoreCase c;
  c.edit(("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) "
          "INSERT INTO golden_pushes SELECT 'operator', 'k' || i, '', 'a', 1, " +
          std::to_string(kNow.time_since_epoch().count()) + " FROM n")
             .c_str());
  c.reopen();
  GoldenPushRequest push = push_of(set_of("a", {1}), 1);
  push.idempotency_key = "the last";
  REQUIRE(c.store->push_golden(push, kNow));
  push = push_of(set_of("a", {2}), 2);
  push.idempotency_key = "one more";
  CHECK(fault_of(c.store->push_golden(push, kNow)) == FaultId::kRequestInvalid);
  CHECK(c.store->golden_set({"a"})->generation == 1);
  push.by = "token:ci";
  CHECK(c.store->push_golden(push, kNow).has_value());
}

TEST_CASE("revoke_golden: the same set under another number is revoked too") {
  StoreCase c;
  REQUIRE(c.store->push_golden(push_of(set_of("a", {1}), 9), kNow));
  REQUIRE(c.store->push_golden(push_of(set_of("a", {2}), 10), kNow));
  REQUIRE(c.store->push_golden(push_of(set_of("a", {1}), 9), kNow));  // rolled back
  const auto revoked = c.store->revoke_golden({"a", 1}, {.by = "operator", .at = kNow}, "leaked");
  REQUIRE(revoked);
  CHECK(revoked->size() == 2);
  CHECK(states(*c.store, "a") ==
        std::vector<std::string>{"3 revoked", "2 superseded", "1 revoked"});
  CHECK_FALSE(snapshot_at(*c.store, kNow).contains(digest(1)));
}

TEST_CASE("push_golden: what a set knows of its image is there after a restart") {
  StoreCase c;
  GoldenSet set = set_of("shop/web", {1});
  set.image = GoldenImage{.names = {"web:1", "web:latest"},
                          .digests = {digest(7), digest(6)},
                          .layers = {digest(5), digest(5, HashAlg::kSha512)}};
  set.facts = {{"revision", "4f0c"}, {"url", "https://ci.example/7"}};
  REQUIRE(c.store->push_golden(push_of(set, 9), kNow));
  c.reopen();
  CHECK(c.store->golden_set({"shop/web"})->image == set.image);
  CHECK(c.store->golden_set({"shop/web"})->facts == set.facts);
}

TEST_CASE("golden_sets: come by name, and one that is not there is not found") {
  StoreCase c;
  GoldenSet other = host_set();
  other.name = "a";
  REQUIRE(c.store->push_golden(push_of(host_set(), 9), kNow));
  REQUIRE(c.store->push_golden(push_of(other, 10), kNow));
  const auto sets = c.store->golden_sets();
  REQUIRE(sets);
  REQUIRE(sets->size() == 2);
  CHECK((*sets)[0].name == "a");
  CHECK(fault_of(c.store->golden_set({"b"})) == FaultId::kNotFound);
  CHECK(fault_of(c.store->golden_files({"b"}, 0, 1)) == FaultId::kNotFound);
}

TEST_CASE("push_golden: a disk that fills up leaves the set that stood") {
  StoreCase c;
  REQUIRE(c.store->push_golden(push_of(host_set(), 9), kNow));
  c.store.reset();
  auto database = Database::open(c.path);
  REQUIRE(database);
  REQUIRE(database->run_script("PRAGMA max_page_count = 60"));
  GoldenSet big = host_set();
  for (std::uint8_t i = 0; i < 200; ++i) {
    big.files.push_back({.path = std::string(4000, 'p'), .digests = {digest(i)}});
  }
  {
    auto transaction = Transaction::begin(*database);
    const auto push = write_golden_set(*database, push_of(big, 10), kNow);
    REQUIRE_FALSE(push);
    CHECK(push.error().id == FaultId::kStoreFull);
  }
  CHECK(read_golden_set(*database, {"host/debian-12"})->generation == 1);
  CHECK(*read_golden_files(*database, {"host/debian-12"}, {.offset = 0, .limit = 9}) ==
        host_set().files);
}

TEST_CASE("golden_in_force: what no version wrote is refused") {
  for (const char* sql : {"UPDATE golden_groups SET digests = x'20abcd'",
                          "UPDATE golden_groups SET digests = x'03abcdef'",
                          "UPDATE golden_generations SET digest = 'sha256:'"}) {
    CAPTURE(std::string(sql));
    StoreCase c;
    REQUIRE(c.store->push_golden(push_of(host_set(), 9), kNow));
    c.edit(sql);
    c.reopen();
    GoldenIndex index(1);
    const auto contents = index.refresh(*c.store, kNow);
    REQUIRE_FALSE(contents);
    CHECK(contents.error().id == FaultId::kStoreFailed);
    CHECK(index.next_change() == kNow);  // to be tried again
  }
}

}  // namespace
}  // namespace assay
