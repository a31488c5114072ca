#include "verifier/store/outbox_rows.h"

#include "core/text.h"
#include "verifier/store/message.h"

namespace assay {
namespace {

constexpr std::size_t kMaxErrorBytes = 500;

std::int64_t raw(NodeId node) {
  return static_cast<std::int64_t>(node);
}
std::int64_t raw(OutboxId id) {
  return static_cast<std::int64_t>(id);
}

// The node's summary row of one sink: as it waits, or a new one.
struct SummaryRow {
  Instant since{};
  std::uint64_t violations = 0;
  std::uint64_t state_changes = 0;
  std::uint32_t attempts = 0;
  Instant next_attempt_at{};
};

Result<std::uint64_t> count_queued(Database& database, std::string_view sink, NodeId node) {
  ASSAY_TRY(const auto count,
            database.first<std::uint64_t>(
                "SELECT count(*) FROM outbox WHERE sink = ? AND node_id = ?", sink, raw(node)));
  return count.value_or(0);
}

Status insert_notification(Database& database, std::string_view sink, const NodeNews& news,
                           const Notification& notification) {
  return database.run(
      "INSERT INTO outbox (sink, node_id, type, payload, next_attempt_at) VALUES (?, ?, ?, ?, ?)",
      sink, raw(news.node), notification.type, notification.payload, news.at);
}

Result<SummaryRow> read_summary(Database& database, std::string_view sink, const NodeNews& news) {
  ASSAY_TRY(Statement rows,
            database.query("SELECT since, violations, state_changes, attempts, next_attempt_at "
                           "FROM outbox WHERE sink = ? AND node_id = ? AND since IS NOT NULL",
                           sink, raw(news.node)));
  ASSAY_TRY(const bool row, rows.next());
  if (!row) return SummaryRow{.since = news.at, .next_attempt_at = news.at};
  SummaryRow summary{.since = rows.take<Instant>()};
  summary.violations = rows.take<std::uint64_t>();
  summary.state_changes = rows.take<std::uint64_t>();
  summary.attempts = rows.take<std::uint32_t>();
  summary.next_attempt_at = rows.take<Instant>();
  return summary;
}

// A new row, and so a new message id: the old row may be on its way at this moment, and what the
// receiver has seen under its id must not change.
Status replace_summary(Database& database, std::string_view sink, const NodeNews& news,
                       const SummaryRow& row) {
  ASSAY_OK(database.run("DELETE FROM outbox WHERE sink = ? AND node_id = ? AND since IS NOT NULL",
                        sink, raw(news.node)));
  const std::string payload = format_summary({.node = news.name,
                                              .state = news.state,
                                              .since = row.since,
                                              .violations = row.violations,
                                              .state_changes = row.state_changes,
                                              .at = news.at});
  return database.run(
      "INSERT INTO outbox (sink, node_id, type, payload, attempts, next_attempt_at, since, "
      "violations, state_changes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      sink, raw(news.node), kViolationSummary, payload, row.attempts, row.next_attempt_at,
      row.since, row.violations, row.state_changes);
}

Status summarise(Database& database, std::string_view sink, const NodeNews& news,
                 std::span<const Notification> left_over) {
  ASSAY_TRY(SummaryRow summary, read_summary(database, sink, news));
  summary.violations += news.unlisted_violations;
  for (const Notification& notification : left_over) {
    ++(notification.type == kNodeStateChanged ? summary.state_changes : summary.violations);
  }
  return replace_summary(database, sink, news, summary);
}

}  // namespace

Status queue_news(Database& database, std::span<const std::string> sinks, const NodeNews& news) {
  const std::span<const Notification> all(news.notifications);
  if (all.empty() && news.unlisted_violations == 0) return {};
  for (const std::string& sink : sinks) {
    ASSAY_TRY(const std::uint64_t queued, count_queued(database, sink, news.node));
    const std::uint64_t room = kMaxQueuedPerNode - std::min(kMaxQueuedPerNode, queued);
    const auto singly = all.first(std::min<std::uint64_t>(room, all.size()));
    for (const Notification& notification : singly) {
      ASSAY_OK(insert_notification(database, sink, news, notification));
    }
    const auto left_over = all.subspan(singly.size());
    if (left_over.empty() && news.unlisted_violations == 0) continue;
    ASSAY_OK(summarise(database, sink, news, left_over));
  }
  return {};
}

Result<std::vector<OutboxRecord>> read_due(Database& database, std::string_view sink, Instant now,
                                           std::uint32_t limit) {
  ASSAY_TRY(Statement rows,
            database.query("SELECT id, sink, message_id, type, payload, attempts, next_attempt_at "
                           "FROM outbox WHERE sink = ? AND next_attempt_at <= ? "
                           "ORDER BY next_attempt_at, id LIMIT ?",
                           sink, now, limit));
  std::vector<OutboxRecord> due;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return due;
    OutboxRecord record{.id = OutboxId{rows.take<std::int64_t>()},
                        .sink = rows.take<std::string>(),
                        .message_id = rows.take<std::string>(),
                        .type = rows.take<std::string>(),
                        .payload = rows.take<std::string>()};
    record.attempts = rows.take<std::uint32_t>();
    record.next_attempt_at = rows.take<Instant>();
    due.push_back(std::move(record));
  }
}

Result<std::optional<Instant>> read_next_due(Database& database, std::string_view sink) {
  return database.first<Instant>(
      "SELECT next_attempt_at FROM outbox WHERE sink = ? ORDER BY next_attempt_at LIMIT 1", sink);
}

Status delete_notification(Database& database, OutboxId id) {
  return database.run("DELETE FROM outbox WHERE id = ?", raw(id));
}

Status postpone_notification(Database& database, OutboxId id, Instant next_attempt_at,
                             std::string_view error) {
  return database.run(
      "UPDATE outbox SET attempts = attempts + 1, next_attempt_at = ?, last_error = ? WHERE id = ?",
      next_attempt_at, shorten(error, kMaxErrorBytes), raw(id));
}

Result<std::uint64_t> count_notifications(Database& database, std::span<const std::string> sinks) {
  std::uint64_t total = 0;
  for (const std::string& sink : sinks) {
    ASSAY_TRY(const auto count,
              database.first<std::uint64_t>("SELECT count(*) FROM outbox WHERE sink = ?", sink));
    total += count.value_or(0);
  }
  return total;
}

}  // namespace assay
