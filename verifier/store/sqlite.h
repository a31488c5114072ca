// SQLite with owners, Results, and values that bind and read in order.
//
// Not safe to share between threads: a Database and its Statements belong to whoever holds the
// store's lock.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/digest.h"
#include "core/handle.h"
#include "core/result.h"
#include "core/verdict.h"

namespace assay {

class Database;

// A prepared statement with its values bound. Resets itself when it goes out of scope.
class Statement {
 public:
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;

  // Goes to the next row. False: there is none.
  Result<bool> next();

  // The next column of the row. The types are what the schema says: STRICT tables hold no others.
  template <typename T>
  T take();
  // The same, where NULL is nothing.
  template <typename T>
  std::optional<T> take_optional() {
    if (skip_null()) return std::nullopt;
    return take<T>();
  }

 private:
  friend class Database;
  Statement(const Database& database, sqlite3_stmt* statement)
      : database_(&database), statement_(statement) {}

  template <std::integral T>
  int bind_value(T value) {
    return sqlite3_bind_int64(statement_, ++bound_, static_cast<std::int64_t>(value));
  }
  int bind_value(std::string_view text);
  int bind_value(const char* text) { return bind_value(std::string_view(text)); }
  int bind_value(ByteView blob);
  int bind_value(Instant instant) { return bind_value(instant.time_since_epoch().count()); }
  int bind_value(const Digest& digest) { return bind_value(format_digest(digest)); }
  template <typename T>
  int bind_value(const std::optional<T>& value) {
    return value ? bind_value(*value) : sqlite3_bind_null(statement_, ++bound_);
  }

  bool skip_null();

  const Database* database_;
  sqlite3_stmt* statement_;  // owned by the database's cache; null after a move
  int bound_ = 0;
  int column_ = 0;
};

// An open database file and the statements that were prepared on it.
class Database {
 public:
  // Opens the file, or makes it with mode 0600: synchronous FULL, foreign keys, and from the first
  // access on a lock that keeps every other process out until it is closed. A file that exists is
  // not changed before claim(). ":memory:" is a database in memory.
  // Fails with kStoreFailed or kStoreFull; the message names the file and says what to do.
  static Result<Database> open(const std::filesystem::path& path);

  // Makes a file that is known to be ours private (mode 0600, and so -wal) and puts it into WAL.
  Status claim();

  // Binds `values` in order. The parameters of one statement may not be bound again while an
  // earlier Statement of the same text is alive.
  template <typename... Values>
  Result<Statement> query(std::string_view sql, const Values&... values) {
    ASSAY_TRY(Statement statement, prepare(sql));
    int code = SQLITE_OK;
    static_cast<void>((... && ((code = statement.bind_value(values)) == SQLITE_OK)));
    if (code != SQLITE_OK) return failure("bind a value", code);
    return statement;
  }

  // Runs a statement that gives no rows.
  template <typename... Values>
  Status run(std::string_view sql, const Values&... values) {
    ASSAY_TRY(Statement statement, query(sql, values...));
    ASSAY_TRY(const bool row, statement.next());
    ASSAY_CHECK(!row);
    return {};
  }

  // Runs a statement that gives one row, and reads its first column; nothing without a row.
  template <typename T, typename... Values>
  Result<std::optional<T>> first(std::string_view sql, const Values&... values) {
    ASSAY_TRY(Statement statement, query(sql, values...));
    ASSAY_TRY(const bool row, statement.next());
    return row ? std::optional<T>(statement.take<T>()) : std::nullopt;
  }

  // Runs constant SQL of several statements.
  Status run_script(const char* sql);

  std::int64_t last_insert_id() const { return sqlite3_last_insert_rowid(db_.get()); }
  // Rows that the last INSERT, UPDATE or DELETE changed.
  std::uint64_t changes() const { return static_cast<std::uint64_t>(sqlite3_changes64(db_.get())); }

  // What went wrong, for people: kStoreFull when the disk is, else kStoreFailed.
  tl::unexpected<Fault> failure(std::string_view what, int code) const;
  // kStoreFailed: "<file> <why>".
  tl::unexpected<Fault> refuse(std::string_view why) const;
  // For a row that no version of ours writes.
  tl::unexpected<Fault> malformed(std::string_view what) const;

 private:
  using Connection = Handle<sqlite3, sqlite3_close>;
  using Prepared = Handle<sqlite3_stmt, sqlite3_finalize>;

  Database(std::filesystem::path path, Connection db)
      : path_(std::move(path)), db_(std::move(db)) {}

  Result<Statement> prepare(std::string_view sql);

  std::filesystem::path path_;
  Connection db_;
  std::map<std::string, Prepared, std::less<>> statements_;  // destroyed before db_
};

// BEGIN IMMEDIATE … COMMIT. Rolls back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  ~Transaction();
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;

  Status commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  // null: over
};

template <>
std::int64_t Statement::take<std::int64_t>();
template <>
std::string Statement::take<std::string>();
template <>
Bytes Statement::take<Bytes>();
template <>
inline std::uint64_t Statement::take<std::uint64_t>() {
  return static_cast<std::uint64_t>(take<std::int64_t>());
}
template <>
inline std::uint32_t Statement::take<std::uint32_t>() {
  return static_cast<std::uint32_t>(take<std::int64_t>());
}
template <>
inline bool Statement::take<bool>() {
  return take<std::int64_t>() != 0;
}
template <>
inline Instant Statement::take<Instant>() {
  return Instant(std::chrono::milliseconds(take<std::int64_t>()));
}

}  // namespace assay
