#include "agent/measurements.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temp_dir.h"

namespace assay::agent {
namespace {

using testing::TempDir;

struct Rig {
  TempDir dir;
  std::string log = dir.write("log", "0123456789").string();
  std::string count = dir.write("count", "3\n").string();

  Result<Measurements> open() const { return Measurements::open(log, count); }
};

std::string text(const Result<Bytes>& bytes) {
  REQUIRE(bytes.has_value());
  return std::string(as_text(*bytes));
}

TEST_CASE("log_form: the file's name tells the digests, and the CPU the byte order") {
  const auto own = std::endian::native == std::endian::big ? ByteOrder::kBig : ByteOrder::kLittle;
  const std::string log = "/sys/kernel/security/ima/binary_runtime_measurements";
  CHECK(log_form(log, "") == ImaLogForm{.order = own});
  CHECK(log_form(log + "_sha1", "") == ImaLogForm{.order = own});
  CHECK(log_form(log + "_sha384", "quiet") ==
        ImaLogForm{.order = own, .digests = HashAlg::kSha384});
  CHECK(log_form("log", "quiet ima_canonical_fmt").order == ByteOrder::kLittle);
}

TEST_CASE("Measurements::read: any part of the log, shorter only at its end") {
  const Rig rig;
  const auto measurements = rig.open();
  REQUIRE(measurements.has_value());
  CHECK(text(measurements->read(0, 4)) == "0123");
  CHECK(text(measurements->read(4, 4)) == "4567");
  CHECK(text(measurements->read(8, 4)) == "89");
  CHECK(text(measurements->read(10, 4)).empty());
  CHECK(text(measurements->read(1 << 20, 4)).empty());
}

TEST_CASE("Measurements: what was logged since is there without opening anew") {
  const Rig rig;
  const auto measurements = rig.open();
  REQUIRE(measurements.has_value());
  CHECK(measurements->count() == std::uint64_t{3});
  CHECK(text(measurements->read(10, 9)).empty());
  std::ofstream(rig.log, std::ios::app) << "abc";
  std::ofstream(rig.count) << "4\n";
  CHECK(measurements->count() == std::uint64_t{4});
  CHECK(text(measurements->read(10, 9)) == "abc");
}

TEST_CASE("Measurements::open: a kernel without IMA is named, with what to do") {
  const Rig rig;
  for (const auto& [log, count] : {std::pair{std::string("/nowhere/log"), rig.count},
                                   std::pair{rig.log, std::string("/nowhere/count")}}) {
    const auto measurements = Measurements::open(log, count);
    REQUIRE_FALSE(measurements.has_value());
    CHECK(measurements.error().id == FaultId::kKernelWithoutIma);
    CHECK(measurements.error().detail.find("/nowhere/") == 0);
    CHECK(measurements.error().detail.find("CONFIG_IMA=y") != std::string::npos);
  }
}

TEST_CASE("Measurements::open: a count that is none is refused") {
  const Rig rig;
  for (const std::string_view bad : {"", "\n", "x\n", "3x\n", "-3\n", "99999999999999999999\n"}) {
    CAPTURE(std::string(bad));
    rig.dir.write("count", bad);
    const auto measurements = rig.open();
    REQUIRE_FALSE(measurements.has_value());
    CHECK(measurements.error().id == FaultId::kKernelWithoutIma);
    CHECK(measurements.error().detail.find("holds no number") != std::string::npos);
  }
}

TEST_CASE("Measurements::open: a log that cannot be read is refused") {
  const Rig rig;
  const auto measurements = Measurements::open(rig.dir.path().string(), rig.count);
  REQUIRE_FALSE(measurements.has_value());
  CHECK(measurements.error().id == FaultId::kFileUnreadable);
  CHECK(measurements.error().detail.find("Is a directory") != std::string::npos);
}

}  // namespace
}  // namespace assay::agent
