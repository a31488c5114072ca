#include "cli/files.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

using namespace assay;
using assay::testing::TempDir;
namespace fs = std::filesystem;

namespace {

constexpr ReadLimits kSmall = {.max_bytes = 10, .too_large = FaultId::kEvidenceMalformed};

std::size_t count_files(const fs::path& dir) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(dir), fs::directory_iterator()));
}

FaultId fault_of(const Result<Bytes>& got) {
  REQUIRE_FALSE(got.has_value());
  return got.error().id;
}

// No file may grow over `bytes`, as on a disk that is full, until this goes.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : old_handler_(::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &old_) == 0);
    const rlimit now = {.rlim_cur = bytes, .rlim_max = old_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &now) == 0);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, old_handler_);
  }

 private:
  sighandler_t old_handler_;
  rlimit old_ = {};
};

}  // namespace

TEST_CASE("read_file: gives the whole file, up to the limit exactly") {
  const TempDir dir;
  for (const std::size_t size : {0, 1, 10}) {
    const auto got = read_file(dir.write("f", std::string(size, 'x')), kSmall);
    REQUIRE(got.has_value());
    CHECK(as_text(*got) == std::string(size, 'x'));
  }
  const auto big = read_file(dir.write("big", std::string(300'000, 'x')),
                             {.max_bytes = 1 << 20, .too_large = FaultId::kEvidenceMalformed});
  REQUIRE(big.has_value());
  CHECK(big->size() == 300'000);
}

TEST_CASE("read_file: reads files whose size says nothing") {
  const auto got = read_file("/proc/self/status",
                             {.max_bytes = 1 << 20, .too_large = FaultId::kEvidenceMalformed});
  REQUIRE(got.has_value());
  CHECK(as_text(*got).find("Name:") == 0);
}

TEST_CASE("read_file: refuses by the fault that fits") {
  const TempDir dir;
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  constexpr ReadLimits kRegular = {
      .max_bytes = 10, .too_large = FaultId::kEvidenceMalformed, .kind = FileKind::kRegular};
  CHECK(fault_of(read_file((dir / "none").string(), kSmall)) == FaultId::kFileUnreadable);
  CHECK(fault_of(read_file(dir.path().string(), kSmall)) == FaultId::kFileUnreadable);
  CHECK(fault_of(read_file(dir.write("f", std::string(11, 'x')), kSmall)) ==
        FaultId::kEvidenceMalformed);
  CHECK(fault_of(read_file("/dev/zero", kSmall)) == FaultId::kEvidenceMalformed);
  CHECK(fault_of(read_file("/dev/zero", kRegular)) == FaultId::kFileUnreadable);
  CHECK(fault_of(read_file((dir / "pipe").string(), kRegular)) == FaultId::kFileUnreadable);
}

TEST_CASE("read_file: names the file in a way that is safe for a terminal") {
  const auto got = read_file("/nowhere/\x1b[31m\n", kSmall);
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().detail == "/nowhere/\\x1b[31m\\x0a: No such file or directory");
}

TEST_CASE("write_file: makes a file, or replaces one, and leaves nothing else") {
  const TempDir dir;
  const std::string path = (dir / "set.json").string();
  for (const std::string content : {"first", "second, longer", ""}) {
    REQUIRE(write_file(path, content).has_value());
    CHECK(testing::read_file(path) == content);
    CHECK(count_files(dir.path()) == 1);
  }
  CHECK((fs::status(path).permissions() & fs::perms::others_write) == fs::perms::none);
  CHECK((fs::status(path).permissions() & fs::perms::owner_read) != fs::perms::none);
}

TEST_CASE("write_file: when the disk is full, the old content stays and nothing half-written") {
  const TempDir dir;
  const std::string path = dir.write("set.json", "old").string();
  Status written;
  {
    const FullDisk full(4096);
    written = write_file(path, std::string(100'000, 'n'));
  }
  REQUIRE_FALSE(written.has_value());
  CHECK(written.error().id == FaultId::kFileUnwritable);
  CHECK(written.error().detail.starts_with(path + ": cannot be written: "));
  CHECK(testing::read_file(path) == "old");
  CHECK(count_files(dir.path()) == 1);
}

TEST_CASE("write_file: never replaces what is no file") {
  const TempDir dir;
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  for (const std::string& path :
       {(dir / "pipe").string(), dir.path().string(), (dir / "none/set.json").string()}) {
    CAPTURE(path);
    const Status written = write_file(path, "x");
    REQUIRE_FALSE(written.has_value());
    CHECK(written.error().id == FaultId::kFileUnwritable);
  }
  CHECK(fs::is_fifo(dir / "pipe"));
  CHECK(count_files(dir.path()) == 1);
}

TEST_CASE("file_exists: sees links that lead nowhere") {
  const TempDir dir;
  fs::create_symlink("nowhere", dir / "link");
  CHECK(file_exists((dir / "link").string()));
  CHECK_FALSE(file_exists((dir / "none").string()));
}
