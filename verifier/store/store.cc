#include "verifier/store/store.h"

#include <mutex>
#include <utility>

#include "core/text.h"
#include "verifier/store/audit_rows.h"
#include "verifier/store/boot_row.h"
#include "verifier/store/enrolment_rows.h"
#include "verifier/store/golden_origin_rows.h"
#include "verifier/store/golden_rows.h"
#include "verifier/store/golden_use_rows.h"
#include "verifier/store/message.h"
#include "verifier/store/monitored_rows.h"
#include "verifier/store/node_rows.h"
#include "verifier/store/outbox_rows.h"
#include "verifier/store/placement_rows.h"
#include "verifier/store/schema.h"
#include "verifier/store/violation_rows.h"

namespace assay {
namespace {

constexpr std::string_view kReboot = "reboot";

NodeNews news_of(const NodeBefore& before, NodeState after, std::uint64_t faults_total,
                 Instant at) {
  NodeNews news{
      .node = before.id, .name = before.name, .state = after, .at = at, .notifications = {}};
  if (before.state != after) {
    news.notifications.push_back(
        {kNodeStateChanged, format_state_change({.node = before.name,
                                                 .from = before.state,
                                                 .to = after,
                                                 .faults_total = faults_total,
                                                 .at = at})});
  }
  return news;
}

// Everything of an attempt but its violations and notifications.
Status write_attempt(Database& database, const AttemptRecord& attempt) {
  if (attempt.rebooted) {
    ASSAY_TRY(
        const std::uint64_t closed,
        close_violations(database, attempt.node, {ViolationStatus::kClosed, kReboot, attempt.at}));
    static_cast<void>(closed);
    ASSAY_OK(begin_boot(database, attempt.node));
  }
  ASSAY_OK(write_standing(database, attempt.node, attempt.standing));
  if (attempt.checkpoint) {
    ASSAY_OK(write_checkpoint(database, attempt.node, *attempt.checkpoint));
  }
  ASSAY_OK(write_golden_use(database, attempt.node, attempt.golden, attempt.at));
  if (attempt.clock) ASSAY_OK(write_clock(database, attempt.node, *attempt.clock));
  if (attempt.boot) ASSAY_OK(write_boot(database, attempt.node, {attempt.at, *attempt.boot}));
  if (attempt.checkpoint || !attempt.faults.empty()) ASSAY_OK(write_verdict(database, attempt));
  if (attempt.rejection) {
    ASSAY_OK(write_rejection(database, attempt.node, *attempt.rejection, attempt.at));
  }
  return {};
}

// What sinks are told when a node's keys were replaced: it is unknown now.
Status queue_replacement(Database& database, const std::vector<std::string>& sinks,
                         const AdmissionOutcome& outcome, Instant now) {
  if (!outcome.replaced) return {};
  return queue_news(database, sinks,
                    news_of(*outcome.replaced, outcome.node->standing.state, 0, now));
}

}  // namespace

class Store::Impl {
 public:
  Impl(Database database, std::vector<std::string> sinks)
      : sinks_(std::move(sinks)), database_(std::move(database)) {}

  const std::vector<std::string>& sinks() const { return sinks_; }

  // Runs `work` on the database, which nobody else touches meanwhile.
  template <typename Work>
  auto read(Work work) {
    const std::lock_guard lock(mutex_);
    return work(database_);
  }

  // The same as one transaction, which is undone unless `work` succeeds.
  template <typename Work>
  auto write(Work work) -> decltype(work(std::declval<Database&>())) {
    const std::lock_guard lock(mutex_);
    ASSAY_TRY(Transaction transaction, Transaction::begin(database_));
    auto result = work(database_);
    if (result) ASSAY_OK(transaction.commit());
    return result;
  }

 private:
  const std::vector<std::string> sinks_;
  std::mutex mutex_;
  Database database_;
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;

Result<Store> Store::open(const std::filesystem::path& path, std::vector<std::string> sinks) {
  ASSAY_TRY(Database database, Database::open(path));
  ASSAY_OK(migrate(database));
  return Store(std::make_unique<Impl>(std::move(database), std::move(sinks)));
}

Result<NodeRecord> Store::enrol_node(std::string_view name, const AkPublic& ak, Instant now) {
  return impl_->write([&](Database& database) -> Result<NodeRecord> {
    ASSAY_TRY(AdmissionOutcome outcome, write_enrolment(database, name, ak, now));
    ASSAY_OK(queue_replacement(database, impl_->sinks(), outcome, now));
    return *std::move(outcome.node);
  });
}

Result<std::optional<NodeRecord>> Store::admit(const AdmissionRequest& request, Instant now) {
  return impl_->write([&](Database& database) -> Result<std::optional<NodeRecord>> {
    ASSAY_TRY(AdmissionOutcome outcome, write_admission(database, request, now));
    ASSAY_OK(queue_replacement(database, impl_->sinks(), outcome, now));
    return std::move(outcome.node);
  });
}

Result<NodeRecord> Store::approve(std::string_view name, const std::optional<Digest>& ek,
                                  Instant now) {
  return impl_->write([&](Database& database) -> Result<NodeRecord> {
    ASSAY_TRY(AdmissionOutcome outcome, write_approval(database, name, ek, now));
    ASSAY_OK(queue_replacement(database, impl_->sinks(), outcome, now));
    return *std::move(outcome.node);
  });
}

Result<std::vector<EnrolmentRequest>> Store::enrolment_requests() {
  return impl_->read(read_requests);
}

Result<std::uint64_t> Store::reject(std::string_view name, const std::optional<Digest>& ek) {
  return impl_->write([&](Database& database) { return delete_requests(database, name, ek); });
}

Status Store::allow_re_enrolment(NodeId node, Instant until) {
  return impl_->write(
      [&](Database& database) { return write_re_enrol_until(database, node, until); });
}

Status Store::add_join_token(const JoinTokenRecord& token, const Digest& hash) {
  return impl_->write([&](Database& database) { return insert_join_token(database, token, hash); });
}

Result<std::vector<JoinTokenRecord>> Store::join_tokens() {
  return impl_->read(read_join_tokens);
}

Status Store::revoke_join_token(std::string_view name) {
  return impl_->write([&](Database& database) { return delete_join_token(database, name); });
}

Result<std::vector<NodeRecord>> Store::nodes() {
  return impl_->read(read_nodes);
}

Result<NodeRecord> Store::node(std::string_view name) {
  return impl_->read([&](Database& database) { return read_node(database, name); });
}

Result<NodeRecord> Store::node_by_ak(const Digest& fingerprint) {
  return impl_->read([&](Database& database) { return read_node_by_ak(database, fingerprint); });
}

Result<std::uint64_t> Store::commit(const AttemptRecord& attempt) {
  return impl_->write([&](Database& database) -> Result<std::uint64_t> {
    ASSAY_TRY(NodeBefore node, read_node_before(database, attempt.node));
    ASSAY_OK(write_attempt(database, attempt));
    ASSAY_OK(draft_monitored(database, attempt.monitored, attempt.at));
    if (attempt.rebooted) ++node.boot;
    NodeNews news = news_of(node, attempt.standing.state, attempt.faults_total, attempt.at);
    NewViolations violations;
    if (attempt.findings) {
      ASSAY_TRY(violations, insert_violations(database, node, attempt));
    }
    for (const ViolationRecord& violation : violations.listed) {
      news.notifications.push_back(
          {kViolationDetected, format_violation(violation, attempt.standing.state)});
    }
    news.unlisted_violations = violations.unlisted;
    ASSAY_OK(queue_news(database, impl_->sinks(), news));
    return violations.listed.size() + violations.unlisted;
  });
}

Result<BootRecord> Store::boot(NodeId node) {
  return impl_->read([&](Database& database) { return read_boot(database, node); });
}

Status Store::set_standing(NodeId node, const Standing& standing, Instant now) {
  return impl_->write([&](Database& database) -> Status {
    ASSAY_TRY(const NodeBefore before, read_node_before(database, node));
    ASSAY_OK(write_standing(database, node, standing));
    return queue_news(database, impl_->sinks(),
                      news_of(before, standing.state, before.faults_total, now));
  });
}

Result<std::uint64_t> Store::acknowledge(NodeId node, const Standing& after,
                                         std::string_view reason, Instant now) {
  return impl_->write([&](Database& database) -> Result<std::uint64_t> {
    ASSAY_TRY(const NodeBefore before, read_node_before(database, node));
    ASSAY_TRY(const std::uint64_t closed,
              close_violations(database, node, {ViolationStatus::kAcknowledged, reason, now}));
    ASSAY_OK(write_standing(database, node, after));
    ASSAY_OK(write_verdict(database, {.node = node}));
    ASSAY_OK(queue_news(database, impl_->sinks(),
                        news_of(before, after.state, before.faults_total, now)));
    return closed;
  });
}

Result<std::vector<ViolationRecord>> Store::violations(const ViolationQuery& query) {
  return impl_->read([&](Database& database) { return read_violations(database, query); });
}

Result<ViolationRecord> Store::violation(ViolationId id) {
  return impl_->read([&](Database& database) { return read_violation(database, id); });
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> Store::open_violations_by_fault() {
  return impl_->read(count_open_by_fault);
}

Result<GoldenPush> Store::push_golden(const GoldenPushRequest& request, Instant now) {
  return impl_->write([&](Database& database) { return write_golden_set(database, request, now); });
}

Result<GoldenRecord> Store::approve_golden(const GoldenId& id, const GoldenActor& actor,
                                           std::chrono::milliseconds grace) {
  return impl_->write(
      [&](Database& database) { return write_golden_approval(database, id, actor, grace); });
}

Result<std::vector<GoldenRecord>> Store::revoke_golden(const GoldenId& id, const GoldenActor& actor,
                                                       std::string_view reason) {
  return impl_->write(
      [&](Database& database) { return write_golden_revocation(database, id, actor, reason); });
}

Result<std::vector<GoldenRecord>> Store::golden_sets() {
  return impl_->read(read_golden_sets);
}

Result<std::vector<GoldenRecord>> Store::golden_history(std::string_view name) {
  return impl_->read([&](Database& database) { return read_golden_history(database, name); });
}

Result<GoldenRecord> Store::golden_set(const GoldenId& id) {
  return impl_->read([&](Database& database) { return read_golden_set(database, id); });
}

Result<std::vector<GoldenFile>> Store::golden_files(const GoldenId& id, std::uint64_t offset,
                                                    std::uint32_t limit) {
  return impl_->read([&](Database& database) {
    return read_golden_files(database, id, {.offset = offset, .limit = limit});
  });
}

Result<std::vector<GoldenSigner>> Store::golden_signers(const GoldenId& id) {
  return impl_->read([&](Database& database) { return read_golden_signers(database, id); });
}

Result<GoldenRuns> Store::golden_runs(const GoldenId& id) {
  return impl_->read([&](Database& database) { return read_golden_runs(database, id); });
}

Result<GoldenOrigins> Store::golden_origins(const Digest& digest) {
  ASSAY_TRY(const auto groups,
            impl_->read([](Database& database) { return read_groups(database); }));
  GoldenOrigins out;
  for (const GoldenGroupId group : groups) {
    ASSAY_OK(
        impl_->read([&](Database& database) { return add_origins(database, group, digest, out); }));
  }
  return out;
}

Status Store::add_placements(std::span<const PodPlacement> pods, Instant now) {
  return impl_->write([&](Database& database) { return write_placements(database, pods, now); });
}

Result<GoldenPlacements> Store::golden_placements(const GoldenId& id) {
  return impl_->read([&](Database& database) { return read_golden_placements(database, id); });
}

Result<std::vector<GoldenInForce>> Store::golden_in_force(Instant now) {
  return impl_->read([&](Database& database) { return read_golden_in_force(database, now); });
}

Result<std::uint64_t> Store::count_golden_digests(std::span<const GoldenGroupId> groups) {
  return impl_->read([&](Database& database) { return read_digest_count(database, groups); });
}

Result<std::vector<Digest>> Store::golden_group_digests(GoldenGroupId group) {
  return impl_->read([&](Database& database) { return read_group_digests(database, group); });
}

Result<std::vector<AuditRecord>> Store::audit(std::int64_t before_id, std::uint32_t limit) {
  return impl_->read([&](Database& database) { return read_audit(database, before_id, limit); });
}

Status Store::add_push_token(const PushTokenRecord& token, const Digest& hash,
                             std::string_view by) {
  return impl_->write([&](Database& database) -> Status {
    ASSAY_OK(insert_push_token(database, token, hash));
    return write_audit(database, {.at = token.created_at,
                                  .actor = std::string(by),
                                  .action = "push_token.create",
                                  .subject = token.name,
                                  .detail = "for " + join_words(token.scopes)});
  });
}

Result<std::vector<PushTokenRecord>> Store::push_tokens() {
  return impl_->read(read_push_tokens);
}

Status Store::revoke_push_token(std::string_view name, const GoldenActor& actor) {
  return impl_->write([&](Database& database) -> Status {
    ASSAY_OK(delete_push_token(database, name));
    return write_audit(database, {.at = actor.at,
                                  .actor = actor.by,
                                  .action = "push_token.revoke",
                                  .subject = std::string(name),
                                  .detail = ""});
  });
}

Result<PushTokenRecord> Store::use_push_token(const Digest& hash, Instant now) {
  return impl_->write(
      [&](Database& database) { return assay::use_push_token(database, hash, now); });
}

Result<std::vector<OutboxRecord>> Store::due_notifications(std::string_view sink, Instant now,
                                                           std::uint32_t limit) {
  return impl_->read([&](Database& database) { return read_due(database, sink, now, limit); });
}

Result<std::optional<Instant>> Store::next_notification_due(std::string_view sink) {
  return impl_->read([&](Database& database) { return read_next_due(database, sink); });
}

Status Store::notification_delivered(OutboxId id) {
  return impl_->write([&](Database& database) { return delete_notification(database, id); });
}

Status Store::notification_failed(OutboxId id, Instant next_attempt_at, std::string_view error) {
  return impl_->write([&](Database& database) {
    return postpone_notification(database, id, next_attempt_at, error);
  });
}

Result<std::uint64_t> Store::queued_notifications() {
  return impl_->read(
      [&](Database& database) { return count_notifications(database, impl_->sinks()); });
}

}  // namespace assay
