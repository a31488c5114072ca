#include "verifier/store/fault_row.h"

#include <doctest/doctest.h>

namespace assay {
namespace {

Result<Fault> read(const std::string& columns) {
  auto database = Database::open(":memory:");
  REQUIRE(database);
  auto row = database->query("SELECT " + columns);
  REQUIRE(row);
  REQUIRE(row->next() == true);
  return take_fault(*database, *row);
}

TEST_CASE("take_fault: reads every column, and NULL as absent") {
  const auto full =
      read("'ima.unknown_digest', 7, x'2f00ff', 'sha1:" + std::string(40, 'a') + "', 'why'");
  REQUIRE(full);
  CHECK(full->id == FaultId::kImaUnknownDigest);
  CHECK(full->entry == 7);
  CHECK(full->path == std::string("/\0\xff", 3));
  CHECK(full->digest == Digest::filled(HashAlg::kSha1, 0xaa));
  CHECK(full->detail == "why");
  const auto bare = read("'evidence.none', NULL, x'', NULL, ''");
  REQUIRE(bare);
  CHECK_FALSE(bare->entry);
  CHECK_FALSE(bare->digest);
}

TEST_CASE("take_fault: a fault or digest that no version wrote is refused") {
  for (const char* columns :
       {"'ima.invented', 7, x'', NULL, ''", "'ima.violation', 7, x'', 'sha256:abcd', ''"}) {
    CAPTURE(std::string(columns));
    const auto fault = read(columns);
    REQUIRE_FALSE(fault);
    CHECK(fault.error().id == FaultId::kStoreFailed);
  }
}

}  // namespace
}  // namespace assay
