#include "verifier/store/golden_rows.h"

#include <doctest/doctest.h>

#include "tests/support/evidence_case.h"
#include "tests/verifier/store/store_case.h"

namespace assay {
namespace {

using testing::kNow;
using testing::later;
using testing::read_test_data;
using testing::StoreCase;

Digest digest(std::uint8_t value, HashAlg alg = HashAlg::kSha256) {
  return Digest::filled(alg, value);
}

GoldenSet host_set() {
  return {.name = "host/debian-12",
          .source = "rootfs",
          .files = {{.path = "/bin/a",
                     .digests = {digest(1), digest(1, HashAlg::kSha512)},
                     .size = 10,
                     .mode = 0755},
                    {.path = std::string("/bin/\0\xff\n", 8), .digests = {digest(2)}},
                    {.path = "/bin/hard-link", .digests = {digest(1)}, .size = 10, .mode = 0755}}};
}

TEST_CASE("push_golden: a set and its files are there after a restart") {
  StoreCase c;
  const auto push = c.store->push_golden(host_set(), digest(9), kNow);
  REQUIRE(push);
  CHECK(push->changed);
  c.reopen();
  const auto set = c.store->golden_set("host/debian-12");
  REQUIRE(set);
  CHECK(set->digest == digest(9));
  CHECK(set->generation == 1);
  CHECK(set->source == "rootfs");
  CHECK(set->files == 3);
  CHECK(set->hashes == 3);  // one file is there twice
  CHECK(set->pushed_at == kNow);
  CHECK(*c.store->golden_files("host/debian-12", 0, 10) == host_set().files);
}

TEST_CASE("push_golden: keys of signers are there after a restart, and go with their set") {
  StoreCase c;
  GoldenSet set{.name = "signed", .source = "signers", .files = {}, .signers = {}};
  for (const char* name : {"ima-ec", "ima-rsa"}) {
    const Bytes spki = *signer_spki(read_test_data("keys/" + std::string(name) + ".pub"));
    set.signers.push_back({name, *parse_file_signer(spki)});
  }
  REQUIRE(c.store->push_golden(set, digest(9), kNow));
  REQUIRE(c.store->push_golden(host_set(), digest(8), kNow));
  c.reopen();
  CHECK(c.store->golden_set("signed")->signers == 2);
  CHECK(c.store->golden_set("host/debian-12")->signers == 0);
  CHECK(*c.store->golden_signers("signed") == set.signers);
  const auto snapshot = c.store->load_golden_snapshot();
  REQUIRE(snapshot);
  REQUIRE(snapshot->signers().size() == 2);
  CHECK(snapshot->set_name(snapshot->signers()[1].set) == "signed");
  CHECK(snapshot->signers()[1].key.fingerprint() == set.signers[1].key.fingerprint());
  set.signers.pop_back();
  REQUIRE(c.store->push_golden(set, digest(7), kNow));
  CHECK(c.store->load_golden_snapshot()->signers().size() == 1);
  CHECK(c.store->golden_signers("none").error().id == FaultId::kNotFound);
}

TEST_CASE("push_golden: the set that stands already changes nothing") {
  StoreCase c;
  REQUIRE(c.store->push_golden(host_set(), digest(9), kNow));
  const auto again = c.store->push_golden(host_set(), digest(9), later(60));
  REQUIRE(again);
  CHECK_FALSE(again->changed);
  CHECK(again->set.generation == 1);
  CHECK(again->set.pushed_at == kNow);
}

TEST_CASE("push_golden: other content of a name replaces all of it as the next generation") {
  StoreCase c;
  REQUIRE(c.store->push_golden(host_set(), digest(9), kNow));
  GoldenSet next = host_set();
  next.files = {{.path = "/bin/new", .digests = {digest(3)}}};
  const auto push = c.store->push_golden(next, digest(10), later(60));
  REQUIRE(push);
  CHECK(push->changed);
  CHECK(push->set.generation == 2);
  CHECK(*c.store->golden_files("host/debian-12", 0, 10) == next.files);
  const auto snapshot = c.store->load_golden_snapshot();
  REQUIRE(snapshot);
  CHECK(snapshot->contains(digest(3)));
  CHECK_FALSE(snapshot->contains(digest(1)));
  CHECK(c.store->golden_sets()->size() == 1);
}

TEST_CASE("golden_files: pages in the set's order, and nothing after the end") {
  StoreCase c;
  REQUIRE(c.store->push_golden(host_set(), digest(9), kNow));
  const auto page = c.store->golden_files("host/debian-12", 1, 1);
  REQUIRE(page);
  REQUIRE(page->size() == 1);
  CHECK((*page)[0] == host_set().files[1]);
  CHECK(c.store->golden_files("host/debian-12", ~std::uint64_t{0}, 10)->empty());
  CHECK(c.store->golden_files("host/debian-12", 0, 0)->empty());
}

TEST_CASE("golden_sets: come by name, and one that is not there is not found") {
  StoreCase c;
  GoldenSet other = host_set();
  other.name = "a";
  REQUIRE(c.store->push_golden(host_set(), digest(9), kNow));
  REQUIRE(c.store->push_golden(other, digest(10), kNow));
  const auto sets = c.store->golden_sets();
  REQUIRE(sets);
  REQUIRE(sets->size() == 2);
  CHECK((*sets)[0].name == "a");
  CHECK(c.store->golden_set("b").error().id == FaultId::kNotFound);
  CHECK(c.store->golden_files("b", 0, 1).error().id == FaultId::kNotFound);
}

TEST_CASE("load_golden_snapshot: every digest with the sets that hold it") {
  StoreCase c;
  CHECK(c.store->load_golden_snapshot()->digest_count() == 0);
  GoldenSet other = host_set();
  other.name = "z";
  other.files.resize(1);
  REQUIRE(c.store->push_golden(host_set(), digest(9), kNow));
  REQUIRE(c.store->push_golden(other, digest(10), kNow));
  const auto snapshot = c.store->load_golden_snapshot();
  REQUIRE(snapshot);
  CHECK(snapshot->set_count() == 2);
  CHECK(snapshot->digest_count() == 3);
  CHECK(snapshot->find(digest(1)).size() == 2);
  CHECK(snapshot->find(digest(1, HashAlg::kSha512)).size() == 2);
  REQUIRE(snapshot->find(digest(2)).size() == 1);
  CHECK(snapshot->set_name(snapshot->find(digest(2))[0]) == "host/debian-12");
  CHECK_FALSE(snapshot->contains(digest(4)));
}

TEST_CASE("push_golden: a disk that fills up leaves the set that stood") {
  StoreCase c;
  REQUIRE(c.store->push_golden(host_set(), digest(9), kNow));
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
    const auto push = write_golden_set(*database, big, digest(10), kNow);
    REQUIRE_FALSE(push);
    CHECK(push.error().id == FaultId::kStoreFull);
  }
  CHECK(read_golden_set(*database, "host/debian-12")->generation == 1);
  CHECK(*read_golden_files(*database, "host/debian-12", {.offset = 0, .limit = 9}) ==
        host_set().files);
}

TEST_CASE("load_golden_snapshot: digests that no version wrote are refused") {
  for (const char* sql : {"UPDATE golden_files SET digests = x'20abcd'",
                          "UPDATE golden_files SET digests = x'03abcdef'",
                          "UPDATE golden_sets SET digest = 'sha256:'"}) {
    CAPTURE(std::string(sql));
    StoreCase c;
    REQUIRE(c.store->push_golden(host_set(), digest(9), kNow));
    c.edit(sql);
    c.reopen();
    const auto snapshot = c.store->load_golden_snapshot();
    REQUIRE_FALSE(snapshot);
    CHECK(snapshot.error().id == FaultId::kStoreFailed);
  }
}

}  // namespace
}  // namespace assay
