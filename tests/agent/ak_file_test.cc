#include "agent/ak_file.h"

#include <doctest/doctest.h>

#include "tests/support/temp_dir.h"

namespace assay::agent {
namespace {

TEST_CASE("write_ak: the file holds the key's bytes, and nothing else is left") {
  const testing::TempDir dir;
  const auto file = dir.write("node1.ak", "an older and longer key");
  REQUIRE(write_ak(file, as_bytes("key")).has_value());
  CHECK(testing::read_file(file) == "key");
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("write_ak: a folder that is not there is named") {
  const auto status = write_ak("/nowhere/node1.ak", as_bytes("key"));
  REQUIRE_FALSE(status.has_value());
  CHECK(status.error().id == FaultId::kFileUnwritable);
  CHECK(status.error().detail.find("/nowhere/node1.ak: No such file") != std::string::npos);
}

TEST_CASE("write_ak: a full disk leaves no half a file") {
  const testing::TempDir dir;
  std::filesystem::create_symlink("/dev/full", dir / "node1.ak.part");
  const auto full = write_ak(dir / "node1.ak", as_bytes("key"));
  REQUIRE_FALSE(full.has_value());
  CHECK(full.error().id == FaultId::kFileUnwritable);
  CHECK(full.error().detail.find("No space left") != std::string::npos);
  CHECK(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace assay::agent
