#include "verifier/store/sqlite.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

// A verifier that is being replaced may still hold the file for a moment.
constexpr int kBusyTimeoutMs = 2000;

constexpr std::string_view kInMemory = ":memory:";

bool no_space(int error) {
  return error == ENOSPC || error == EDQUOT;
}

std::string quoted(const std::filesystem::path& path) {
  return escape_bytes(path.native());
}

tl::unexpected<Fault> disk_full(const std::filesystem::path& path) {
  return fail(FaultId::kStoreFull,
              "no space left to write " + quoted(path) + "; free some on its file system");
}

tl::unexpected<Fault> unusable(const std::filesystem::path& path, int error) {
  if (no_space(error)) return disk_full(path);
  return fail(FaultId::kStoreFailed, "cannot open the database " + quoted(path) + ": " +
                                         std::generic_category().message(error) +
                                         "; it and its directory have to be writable for us");
}

// Before SQLite looks, which would make it with the mode that the umask gives.
Status make_private_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return errno == EEXIST ? Status{} : unusable(path, errno);
  // Only ever a file of our own making: closing one that is in use would drop its locks.
  ::close(fd);
  return {};
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      bound_(other.bound_),
      column_(other.column_) {}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);  // gives the error of the last step again, which next() returned
  sqlite3_clear_bindings(statement_);
}

Result<bool> Statement::next() {
  column_ = 0;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return database_->failure(sqlite3_sql(statement_), code);
}

int Statement::bind_value(std::string_view text) {
  // A null pointer would bind NULL.
  const char* data = text.data() == nullptr ? "" : text.data();
  return sqlite3_bind_text64(statement_, ++bound_, data, text.size(), SQLITE_TRANSIENT,
                             SQLITE_UTF8);
}

int Statement::bind_value(ByteView blob) {
  if (blob.empty()) return sqlite3_bind_zeroblob(statement_, ++bound_, 0);
  return sqlite3_bind_blob64(statement_, ++bound_, blob.data(), blob.size(), SQLITE_TRANSIENT);
}

bool Statement::skip_null() {
  if (sqlite3_column_type(statement_, column_) != SQLITE_NULL) return false;
  ++column_;
  return true;
}

template <>
std::int64_t Statement::take<std::int64_t>() {
  return sqlite3_column_int64(statement_, column_++);
}

template <>
Bytes Statement::take<Bytes>() {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column_));
  const int size = sqlite3_column_bytes(statement_, column_++);
  return data == nullptr ? Bytes{} : Bytes(data, data + size);
}

template <>
std::string Statement::take<std::string>() {
  return std::string(as_text(take<Bytes>()));
}

Result<Database> Database::open(const std::filesystem::path& path) {
  if (path != kInMemory) ASSAY_OK(make_private_file(path));
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database database(path, Connection(raw));
  if (code != SQLITE_OK) return database.failure("open", code);
  sqlite3_busy_timeout(raw, kBusyTimeoutMs);
  ASSAY_OK(database.run_script("PRAGMA locking_mode = EXCLUSIVE"));
  ASSAY_OK(database.run_script("PRAGMA synchronous = FULL"));
  ASSAY_OK(database.run_script("PRAGMA foreign_keys = ON"));
  ASSAY_OK(database.run_script("PRAGMA trusted_schema = OFF"));
  return database;
}

Status Database::claim() {
  // SQLite gives -wal the mode of the database file.
  if (path_ != kInMemory && ::chmod(path_.c_str(), 0600) != 0) return unusable(path_, errno);
  return run_script("PRAGMA journal_mode = WAL");
}

Result<Statement> Database::prepare(std::string_view sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    sqlite3_stmt* raw = nullptr;
    ASSAY_CHECK(sql.size() < std::numeric_limits<int>::max());
    const int code = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    Prepared prepared(raw);
    if (code != SQLITE_OK) return failure(sql, code);
    found = statements_.emplace(sql, std::move(prepared)).first;
  }
  ASSAY_CHECK(sqlite3_stmt_busy(found->second.get()) == 0);
  return Statement(*this, found->second.get());
}

Status Database::run_script(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(sql, code);
  return {};
}

tl::unexpected<Fault> Database::failure(std::string_view what, int code) const {
  const int primary = code & 0xff;
  const int system_error = sqlite3_system_errno(db_.get());
  if (primary == SQLITE_FULL || (primary == SQLITE_IOERR && no_space(system_error))) {
    return disk_full(path_);
  }
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) {
    return refuse("is open in another program; stop that, or give this verifier another database");
  }
  if (primary == SQLITE_NOTADB) {
    return refuse("is not a database; name another file, or move this one away to start afresh");
  }
  if (primary == SQLITE_CORRUPT) return refuse("is damaged; restore it from a backup");
  std::string why = "cannot be used: " + std::string(sqlite3_errmsg(db_.get()));
  if (primary == SQLITE_IOERR && system_error != 0) {
    why += " (" + std::generic_category().message(system_error) + ")";
  }
  return refuse(why + ", at: " + shorten(escape_bytes(what), 100));
}

tl::unexpected<Fault> Database::refuse(std::string_view why) const {
  return fail(FaultId::kStoreFailed, "the database " + quoted(path_) + " " + std::string(why));
}

tl::unexpected<Fault> Database::malformed(std::string_view what) const {
  return refuse("holds " + std::string(what) +
                " that no verifier writes; restore it from a backup");
}

Result<Transaction> Transaction::begin(Database& database) {
  ASSAY_OK(database.run_script("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  // Fails when SQLite has rolled back already, as it does on a full disk.
  if (database_ != nullptr) static_cast<void>(database_->run_script("ROLLBACK"));
}

Status Transaction::commit() {
  ASSAY_OK(database_->run("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace assay
