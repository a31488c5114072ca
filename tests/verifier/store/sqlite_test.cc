#include "verifier/store/sqlite.h"

#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"

namespace assay {
namespace {

using testing::TempDir;

constexpr const char* kTable =
    "CREATE TABLE t (i INTEGER, s TEXT, b BLOB, d TEXT, o INTEGER, u INTEGER) STRICT";

Database open_claimed(const std::filesystem::path& path) {
  auto database = Database::open(path);
  REQUIRE_MESSAGE(database, database.error().detail);
  REQUIRE(database->claim());
  return *std::move(database);
}

std::int64_t count_rows(Database& database) {
  const auto count = database.first<std::int64_t>("SELECT count(*) FROM t");
  REQUIRE(count);
  return count->value_or(-1);
}

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

TEST_CASE("Database: values come back exactly as they were bound") {
  Database database = open_claimed(":memory:");
  REQUIRE(database.run_script(kTable));
  const std::string text("a\0b\n';\x1b", 7);
  const Bytes blob = {0, 0xff, 0};
  const Digest digest = Digest::filled(HashAlg::kSha384, 7);
  const std::uint64_t huge = ~std::uint64_t{0};
  REQUIRE(database.run("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", -5, text, ByteView(blob), digest,
                       std::optional<std::int64_t>(), huge));
  auto row = database.query("SELECT i, s, b, d, o, u FROM t");
  REQUIRE(row);
  REQUIRE(row->next() == true);
  CHECK(row->take<std::int64_t>() == -5);
  CHECK(row->take<std::string>() == text);
  CHECK(row->take<Bytes>() == blob);
  CHECK(row->take<std::string>() == format_digest(digest));
  CHECK_FALSE(row->take_optional<std::int64_t>().has_value());
  CHECK(row->take<std::uint64_t>() == huge);
  CHECK(row->next() == false);
}

TEST_CASE("Database: empty text and empty bytes are not NULL") {
  Database database = open_claimed(":memory:");
  REQUIRE(database.run_script("CREATE TABLE t (s TEXT NOT NULL, b BLOB NOT NULL) STRICT"));
  CHECK(database.run("INSERT INTO t VALUES (?, ?)", std::string_view(), ByteView()));
  CHECK(count_rows(database) == 1);
}

TEST_CASE("Database: a value of the wrong type is refused, since tables are strict") {
  Database database = open_claimed(":memory:");
  REQUIRE(database.run_script(kTable));
  const Status status = database.run("INSERT INTO t (i) VALUES (?)", "text");
  REQUIRE_FALSE(status);
  CHECK(status.error().id == FaultId::kStoreFailed);
  CHECK(count_rows(database) == 0);
}

TEST_CASE("Database: the file and its log are for their owner only, whatever the umask") {
  const TempDir dir;
  const mode_t before = ::umask(0);
  Database database = open_claimed(dir / "d.db");
  ::umask(before);
  REQUIRE(database.run_script(kTable));
  CHECK(mode_of(dir / "d.db") == 0600);
  CHECK(mode_of(dir / "d.db-wal") == 0600);
}

TEST_CASE("Database: a file that others can read is closed to them when it is claimed") {
  const TempDir dir;
  { open_claimed(dir / "d.db"); }
  REQUIRE(::chmod((dir / "d.db").c_str(), 0644) == 0);
  open_claimed(dir / "d.db");
  CHECK(mode_of(dir / "d.db") == 0600);
}

TEST_CASE("Database: commits survive a power cut, and references are kept") {
  const TempDir dir;
  Database database = open_claimed(dir / "d.db");
  CHECK(*database.first<std::string>("PRAGMA journal_mode") == "wal");
  CHECK(*database.first<std::int64_t>("PRAGMA synchronous") == 2);
  CHECK(*database.first<std::int64_t>("PRAGMA foreign_keys") == 1);
}

TEST_CASE("Database: another process is kept out, and told why") {
  const TempDir dir;
  Database database = open_claimed(dir / "d.db");
  REQUIRE(database.run_script(kTable));
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto second = Database::open(dir / "d.db");
    const Status claimed = second ? second->claim() : Status{tl::unexpect, second.error()};
    const bool right = !claimed && claimed.error().id == FaultId::kStoreFailed &&
                       claimed.error().detail.find("open in another program") != std::string::npos;
    ::_exit(right ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(database.run("INSERT INTO t (i) VALUES (1)"));  // the first goes on
}

TEST_CASE("Database: a folder that is not there is one clear line") {
  const TempDir dir;
  const auto database = Database::open(dir / "none" / "d.db");
  REQUIRE_FALSE(database);
  CHECK(database.error().id == FaultId::kStoreFailed);
  CHECK(database.error().detail.find("No such file or directory") != std::string::npos);
}

TEST_CASE("Database: a file of something else is refused and left as it is") {
  const TempDir dir;
  const std::string content(4096, 'x');
  const auto path = dir.write("d.db", content);
  auto database = Database::open(path);
  const Status status = database ? database->run_script("SELECT count(*) FROM sqlite_schema")
                                 : Status{tl::unexpect, database.error()};
  REQUIRE_FALSE(status);
  CHECK(status.error().id == FaultId::kStoreFailed);
  CHECK(status.error().detail.find("is not a database") != std::string::npos);
  CHECK(testing::read_file(path) == content);
}

TEST_CASE("Database: a full database is kStoreFull") {
  Database database = open_claimed(":memory:");
  REQUIRE(database.run_script(kTable));
  REQUIRE(database.run_script("PRAGMA max_page_count = 10"));
  const Status status = database.run("INSERT INTO t (b) VALUES (zeroblob(1000000))");
  REQUIRE_FALSE(status);
  CHECK(status.error().id == FaultId::kStoreFull);
}

TEST_CASE("Database: a full disk is kStoreFull, harms nothing, and is over when there is room") {
  const TempDir dir;
  if (::mount("assay", dir.path().c_str(), "tmpfs", 0, "size=512k") != 0) {
    MESSAGE("left out: only root may mount a small disk");
    return;
  }
  {
    Database database = open_claimed(dir / "d.db");
    REQUIRE(database.run_script(kTable));
    REQUIRE(database.run("INSERT INTO t (i) VALUES (1)"));
    const Bytes big(800 << 10);
    const Status status = database.run("INSERT INTO t (b) VALUES (?)", ByteView(big));
    REQUIRE_FALSE(status);
    CHECK(status.error().id == FaultId::kStoreFull);
    CHECK(status.error().detail.find((dir / "d.db").string()) != std::string::npos);
    CHECK(count_rows(database) == 1);
    CHECK(database.run("INSERT INTO t (i) VALUES (2)"));
  }
  CHECK(::umount(dir.path().c_str()) == 0);
}

TEST_CASE("Transaction: what is not committed was never there") {
  Database database = open_claimed(":memory:");
  REQUIRE(database.run_script(kTable));
  {
    auto transaction = Transaction::begin(database);
    REQUIRE(transaction);
    REQUIRE(database.run("INSERT INTO t (i) VALUES (1)"));
  }
  CHECK(count_rows(database) == 0);
  auto transaction = Transaction::begin(database);
  REQUIRE(transaction);
  REQUIRE(database.run("INSERT INTO t (i) VALUES (1)"));
  REQUIRE(transaction->commit());
  CHECK(count_rows(database) == 1);
}

}  // namespace
}  // namespace assay
