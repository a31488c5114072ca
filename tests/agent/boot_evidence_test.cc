#include "agent/boot_evidence.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"
#include "tests/support/temp_dir.h"

namespace assay::agent {
namespace {

using testing::fault_of;
using testing::TempDir;

TEST_CASE("read_boot_evidence: both files, the command line without its line break") {
  const TempDir dir;
  const BootEvidencePaths paths{.log = dir.write("log", std::string(10'000, 'x')),
                                .command_line = dir.write("cmdline", "ro quiet\n")};
  const auto got = read_boot_evidence(paths, 10'000);
  REQUIRE(got.has_value());
  CHECK(got->log.size() == 10'000);
  CHECK(as_text(got->command_line) == "ro quiet");
  CHECK(fault_of(read_boot_evidence(paths, 9'999)) == FaultId::kEvidenceTooLarge);
}

TEST_CASE("read_boot_evidence: a kernel without a boot log has none, and that is no fault") {
  const TempDir dir;
  const auto got = read_boot_evidence({.log = dir / "none", .command_line = dir / "nothing"}, 100);
  REQUIRE(got.has_value());
  CHECK(got->log.empty());
  CHECK(got->command_line.empty());
}

TEST_CASE("read_boot_evidence: what is there and cannot be read is a fault") {
  const TempDir dir;
  const BootEvidencePaths folder{.log = dir.path(), .command_line = dir / "nothing"};
  CHECK(fault_of(read_boot_evidence(folder, 100)) == FaultId::kFileUnreadable);
}

TEST_CASE("read_boot_evidence: an endless command line is cut") {
  const TempDir dir;
  const auto got = read_boot_evidence(
      {.log = dir / "none", .command_line = dir.write("cmdline", std::string(9'000, 'y'))}, 100);
  REQUIRE(got.has_value());
  CHECK(got->command_line.size() == 4096);
}

}  // namespace
}  // namespace assay::agent
