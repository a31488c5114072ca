#include "golden/spool.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;

TEST_CASE("Spool: gives back what came, in memory and in a file without a name") {
  const TempDir dir;
  for (const std::size_t pieces : {0, 1, 3, 4, 5, 11}) {
    CAPTURE(pieces);
    Spool spool(dir.path());
    Bytes all;
    for (std::size_t i = 0; i < pieces; ++i) {
      const Bytes piece(Spool::kMaxInMemory / 4 + i, static_cast<std::uint8_t>(i + 1));
      REQUIRE(spool.append(piece).has_value());
      all.insert(all.end(), piece.begin(), piece.end());
      CHECK(std::ranges::equal(spool.view().value(), all));
    }
    CHECK(spool.size() == all.size());
    Spool moved = std::move(spool);
    CHECK(std::ranges::equal(moved.view().value(), all));
  }
  CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("Spool: a folder that cannot hold a file is a fault once it is needed") {
  Spool spool("/nonexistent");
  REQUIRE(spool.append(Bytes(Spool::kMaxInMemory)).has_value());
  const Status full = spool.append(Bytes(1));
  REQUIRE_FALSE(full.has_value());
  CHECK(full.error().id == FaultId::kFileUnwritable);
}
