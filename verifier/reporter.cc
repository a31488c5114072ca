#include "verifier/reporter.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace assay {
namespace {

constexpr std::size_t kMaxLoggedFaults = 20;  // of one verdict

AttestationResult result_of(const Appraisal& appraisal) {
  if (is_guilty(appraisal)) return AttestationResult::kCompromised;
  return appraisal.log ? AttestationResult::kTrusted : AttestationResult::kInvalid;
}

}  // namespace

void Reporter::set_outbox_wake(std::function<void()> wake) {
  outbox_wake_.with([&](auto& current) { current = std::move(wake); });
}

Status Reporter::store_status() const {
  return store_status_.with([](const Status& status) { return status; });
}

void Reporter::publish(const NodeRecord& node, const std::vector<Fault>& found) {
  store_status_.with([](Status& status) { status = {}; });
  metrics_.set_node_state(node.name, node.standing.state);
  if (node.standing.last_verified)
    metrics_.set_last_verified(node.name, *node.standing.last_verified);
  for (const Fault& fault : found) metrics_.count_violation(fault);
  const Seen now{node.standing.state, node.open_violations};
  const auto before = seen_.with([&](auto& seen) {
    const auto [it, added] = seen.try_emplace(node.id, now);
    return added ? std::optional<Seen>() : std::optional(std::exchange(it->second, now));
  });
  if (!before || before->open_violations != now.open_violations) count_open_violations();
  if (before && before->state == now.state && found.empty()) return;
  log(node, found);
  if (const auto wake = outbox_wake_.with([](const auto& call) { return call; })) wake();
}

void Reporter::count_open_violations() {
  const auto counts = store_.open_violations_by_fault();
  if (!counts) return not_stored(counts.error());
  for (std::size_t i = 0; i < fault_count(); ++i) {
    const auto id = static_cast<FaultId>(i);
    if (fault_class(id) != FaultClass::kViolation && fault_class(id) != FaultClass::kTampering) {
      continue;  // never stored as a violation
    }
    const auto open =
        std::ranges::find(*counts, fault_name(id), &std::pair<std::string, std::uint64_t>::first);
    metrics_.set_violations_active(id, open == counts->end() ? 0 : open->second);
  }
}

void Reporter::log(const NodeRecord& node, const std::vector<Fault>& found) const {
  const bool good =
      node.standing.state == NodeState::kTrusted || node.standing.state == NodeState::kUnknown;
  spdlog::log(good ? spdlog::level::info : spdlog::level::warn,
              "event=verdict node={} state={} faults={} proven_entries={}", node.name,
              node_state_name(node.standing.state), node.faults_total, node.checkpoint.entries);
  for (const Fault& fault : std::span(found).first(std::min(found.size(), kMaxLoggedFaults))) {
    spdlog::warn("event=violation node={} fault=\"{}\"", node.name, format_fault(fault));
  }
}

void Reporter::judged(const Appraisal& appraisal, std::chrono::nanoseconds took) {
  metrics_.count_attestation(result_of(appraisal));
  metrics_.observe_attestation_duration(took);
  if (appraisal.log) {
    metrics_.add_entries_replayed(appraisal.log->proven);
    metrics_.add_entries_accepted(appraisal.log->accepted);
    return;
  }
  rejected(appraisal.faults.listed().at(0));
}

void Reporter::rejected(const Fault& reason) {
  metrics_.count_evidence_rejected(reason.id);
  spdlog::warn("event=rejected fault=\"{}\"", format_fault(reason));
}

void Reporter::unanswered(const Fault& reason) {
  metrics_.count_attestation(AttestationResult::kNoAnswer);
  rejected(reason);
}

void Reporter::not_stored(const Fault& reason) {
  store_status_.with([&](Status& status) { status = tl::unexpected<Fault>(reason); });
  spdlog::error("event=not_stored fault=\"{}\"", format_fault(reason));
}

void Reporter::golden_changed(const GoldenIndex::Contents& contents) {
  metrics_.set_golden({.sets = contents.sets, .hashes = contents.hashes});
  spdlog::info("event=golden sets={} hashes={}", contents.sets, contents.hashes);
}

void Reporter::sent(std::string_view sink) {
  metrics_.count_alert_sent(sink);
}

void Reporter::failed(std::string_view sink, const DeliveryFailure& failure) {
  metrics_.count_alert_failed(sink);
  spdlog::warn("event=alert_failed sink={} why=\"{}\"", sink, failure.why);
}

void Reporter::queue_length(std::uint64_t notifications) {
  metrics_.set_alert_queue_length(notifications);
}

void Reporter::keys_fetched(std::string_view issuer, std::size_t keys) {
  metrics_.set_issuer_keys(issuer, Metrics::Reach::kUp);
  spdlog::info("event=identity_keys issuer={} keys={}", issuer, keys);
}

void Reporter::keys_not_fetched(std::string_view issuer, const Fault& why) {
  metrics_.set_issuer_keys(issuer, Metrics::Reach::kDown);
  spdlog::warn("event=identity_keys_failed issuer={} fault=\"{}\"", issuer, format_fault(why));
}

void Reporter::cluster_seen(std::size_t pods) {
  metrics_.set_cluster(Metrics::Reach::kUp);
  spdlog::info("event=cluster pods={}", pods);
}

void Reporter::cluster_lost(const Fault& why) {
  metrics_.set_cluster(Metrics::Reach::kDown);
  spdlog::warn("event=cluster_lost fault=\"{}\"", format_fault(why));
}

}  // namespace assay
