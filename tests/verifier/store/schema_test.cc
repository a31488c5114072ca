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
                                       "schema = 'main' AND name NOT LIKE 'sqlite_%'") == 11);
  CHECK(*database->first<std::int64_t>("SELECT count(*) FROM pragma_table_list WHERE schema = "
                                       "'main' AND name NOT LIKE 'sqlite_%' AND strict = 0") == 0);
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
