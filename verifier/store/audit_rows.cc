#include "verifier/store/audit_rows.h"

#include "core/text.h"

namespace assay {
namespace {

PushTokenRecord take_token(Statement& row) {
  PushTokenRecord token{.name = row.take<std::string>()};
  token.scopes = split_words(row.take<std::string>());
  token.created_at = row.take<Instant>();
  token.expires_at = row.take<Instant>();
  token.last_used_at = row.take_optional<Instant>();
  return token;
}

}  // namespace

Status write_audit(Database& database, const AuditRecord& record) {
  return database.run(
      "INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)", record.at,
      record.actor, record.action, record.subject, record.detail);
}

Result<std::vector<AuditRecord>> read_audit(Database& database, std::int64_t before_id,
                                            std::uint32_t limit) {
  ASSAY_TRY(Statement rows,
            database.query("SELECT id, at, actor, action, subject, detail FROM audit WHERE "
                           "(? = 0 OR id < ?) ORDER BY id DESC LIMIT ?",
                           before_id, before_id, limit));
  std::vector<AuditRecord> out;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return out;
    AuditRecord record{.id = rows.take<std::int64_t>()};
    record.at = rows.take<Instant>();
    record.actor = rows.take<std::string>();
    record.action = rows.take<std::string>();
    record.subject = rows.take<std::string>();
    record.detail = rows.take<std::string>();
    out.push_back(std::move(record));
  }
}

Status insert_push_token(Database& database, const PushTokenRecord& token, const Digest& hash) {
  ASSAY_TRY(const auto taken,
            database.first<std::int64_t>("SELECT 1 FROM push_tokens WHERE name = ?", token.name));
  if (taken) {
    return fail(FaultId::kAlreadyExists,
                "a push token has this name; `assay push-token list` shows it");
  }
  ASSAY_TRY(const auto count, database.first<std::uint64_t>("SELECT count(*) FROM push_tokens"));
  if (count.value_or(0) >= kMaxPushTokens) {
    return fail(FaultId::kRequestInvalid, "there are " + std::to_string(kMaxPushTokens) +
                                              " push tokens; revoke those that are not used");
  }
  return database.run("INSERT INTO push_tokens VALUES (?, ?, ?, ?, ?, NULL)", token.name, hash,
                      join_words(token.scopes), token.created_at, token.expires_at);
}

Result<std::vector<PushTokenRecord>> read_push_tokens(Database& database) {
  ASSAY_TRY(Statement rows, database.query("SELECT name, scopes, created_at, expires_at, "
                                           "last_used_at FROM push_tokens ORDER BY name"));
  std::vector<PushTokenRecord> out;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return out;
    out.push_back(take_token(rows));
  }
}

Status delete_push_token(Database& database, std::string_view name) {
  ASSAY_OK(database.run("DELETE FROM push_tokens WHERE name = ?", name));
  if (database.changes() > 0) return {};
  return fail(FaultId::kNotFound, "no push token is called " + escape_bytes(name));
}

Result<PushTokenRecord> use_push_token(Database& database, const Digest& hash, Instant now) {
  PushTokenRecord token;
  {
    ASSAY_TRY(Statement rows,
              database.query("SELECT name, scopes, created_at, expires_at, last_used_at FROM "
                             "push_tokens WHERE hash = ?",
                             hash));
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return fail(FaultId::kPushTokenUnknown, "");
    token = take_token(rows);
  }
  if (now >= token.expires_at) {
    return fail(FaultId::kPushTokenExpired, "push token " + token.name + " has expired");
  }
  ASSAY_OK(database.run("UPDATE push_tokens SET last_used_at = ? WHERE hash = ?", now, hash));
  return token;
}

}  // namespace assay
