#include "verifier/store/schema.h"

#include <doctest/doctest.h>

#include "tests/verifier/store/store_case.h"

namespace assay {
namespace {

using testing::StoreCase;
using testing::TempDir;

TEST_CASE("migrate: a second time changes nothing") {
  StoreCase c;
  c.reopen();
  c.reopen();
  CHECK(c.node().name == "n1");
}

TEST_CASE("migrate: every table is strict") {
  const TempDir dir;
  auto database = Database::open(dir / "d.db");
  REQUIRE(database);
  REQUIRE(migrate(*database));
  CHECK(*database->first<std::int64_t>("SELECT count(*) FROM pragma_table_list WHERE "
                                       "schema = 'main' AND name NOT LIKE 'sqlite_%'") == 23);
  CHECK(*database->first<std::int64_t>("SELECT count(*) FROM pragma_table_list WHERE schema = "
                                       "'main' AND name NOT LIKE 'sqlite_%' AND strict = 0") == 0);
}

TEST_CASE("migrate: golden sets of a version without generations go on to count") {
  StoreCase c;
  c.edit(R"sql(
DROP TABLE pod_images; DROP TABLE forgotten_placements;
DROP TABLE pod_golden_uses; ALTER TABLE nodes DROP COLUMN pods_complete;
DROP TABLE node_golden_groups; DROP TABLE node_golden_signers;
DROP TABLE golden_set_groups; DROP TABLE golden_group_files; DROP TABLE golden_groups;
DROP TABLE golden_image_items; DROP TABLE golden_set_facts; DROP TABLE golden_set_signers; DROP TABLE golden_generations;
DROP TABLE golden_pushes; DROP TABLE push_tokens; DROP TABLE audit;
CREATE TABLE golden_sets (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, generation INTEGER NOT NULL,
  source TEXT NOT NULL, files INTEGER NOT NULL, hashes INTEGER NOT NULL, pushed_at INTEGER NOT NULL) STRICT;
CREATE TABLE golden_files (
  set_id INTEGER NOT NULL REFERENCES golden_sets ON DELETE CASCADE, position INTEGER NOT NULL,
  path BLOB NOT NULL, digests BLOB NOT NULL, size INTEGER NOT NULL, mode INTEGER NOT NULL,
  PRIMARY KEY (set_id, position)) STRICT, WITHOUT ROWID;
CREATE TABLE golden_signers (
  set_id INTEGER NOT NULL REFERENCES golden_sets ON DELETE CASCADE, position INTEGER NOT NULL,
  name BLOB NOT NULL, key BLOB NOT NULL, PRIMARY KEY (set_id, position)) STRICT, WITHOUT ROWID;
INSERT INTO golden_sets VALUES (3, 'host', 'sha256:' || hex(zeroblob(32)), 7, 'rootfs', 2, 2, 5);
INSERT INTO golden_sets VALUES (4, 'keys', 'sha256:' || hex(zeroblob(32)), 1, 'signers', 0, 0, 6);
INSERT INTO golden_files VALUES
  (3, 0, x'2f61', x'140000000000000000000000000000000000000000', 1, 493),
  (3, 1, x'2f62', x'200000000000000000000000000000000000000000000000000000000000000000', 2, 420);
PRAGMA user_version = 4)sql");
  c.reopen();
  const auto set = c.store->golden_set({"host"});
  REQUIRE(set);
  CHECK(set->generation == 7);
  CHECK(set->state == GoldenState::kApproved);
  const auto files = c.store->golden_files({"host"}, 0, 9);
  REQUIRE(files->size() == 2);
  CHECK((*files)[1].path == "/b");
  CHECK((*files)[1].mode == 0644);
  const auto in_force = c.store->golden_in_force(testing::kNow);
  REQUIRE(in_force->size() == 2);
  CHECK((*in_force)[1].groups.empty());
  REQUIRE((*in_force)[0].groups.size() == 1);
  CHECK(*c.store->golden_group_digests((*in_force)[0].groups[0]) ==
        std::vector{Digest::zero(HashAlg::kSha1), Digest::zero(HashAlg::kSha256)});
}

TEST_CASE("migrate: a database of a newer version is refused") {
  StoreCase c;
  c.edit("PRAGMA user_version = 999");
  const auto store = Store::open(c.path, {});
  REQUIRE_FALSE(store);
  CHECK(store.error().id == FaultId::kStoreFailed);
  CHECK(store.error().detail.find("newer verifier (schema 999") != std::string::npos);
}

TEST_CASE("migrate: another program's database is refused and left as it is") {
  const TempDir dir;
  const std::filesystem::path path = dir / "other.db";
  {
    auto other = Database::open(path);
    REQUIRE(other);
    REQUIRE(other->run_script("CREATE TABLE theirs (x INTEGER)"));
  }
  const std::string before = testing::read_file(path);
  const auto store = Store::open(path, {});
  REQUIRE_FALSE(store);
  CHECK(store.error().id == FaultId::kStoreFailed);
  CHECK(store.error().detail.find("belongs to another program") != std::string::npos);
  CHECK(testing::read_file(path) == before);
}

}  // namespace
}  // namespace assay
