// Rows of `outbox`. Callers hold a transaction where they write.
#pragma once

#include <span>

#include "verifier/store/node_rows.h"

namespace assay {

struct Notification {
  std::string_view type;
  std::string payload;
};

// What one transaction has to say about one node.
struct NodeNews {
  NodeId node{};
  std::string_view name;
  NodeState state{};  // after the transaction
  Instant at{};
  std::vector<Notification> notifications;
  std::uint64_t unlisted_violations = 0;  // go into a summary
};

// Queues `news` for each sink. Notifications over kMaxQueuedPerNode become part of the node's one
// summary, which is then a new message under a new id.
Status queue_news(Database& database, std::span<const std::string> sinks, const NodeNews& news);

Result<std::vector<OutboxRecord>> read_due(Database& database, std::string_view sink, Instant now,
                                           std::uint32_t limit);
Result<std::optional<Instant>> read_next_due(Database& database, std::string_view sink);
Status delete_notification(Database& database, OutboxId id);
Status postpone_notification(Database& database, OutboxId id, Instant next_attempt_at,
                             std::string_view error);
Result<std::uint64_t> count_notifications(Database& database, std::span<const std::string> sinks);

}  // namespace assay
