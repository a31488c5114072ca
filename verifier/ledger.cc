#include "verifier/ledger.h"

#include <algorithm>

namespace assay {
namespace {

// The first faults of a list, as many as a verdict keeps.
std::vector<Fault> kept(const std::vector<Fault>& faults) {
  const auto size = std::min(faults.size(), kMaxStoredFaults);
  return {faults.begin(), faults.begin() + static_cast<std::ptrdiff_t>(size)};
}

// Whether what an appraisal shows is kept as violations: warnings too.
bool has_findings(const Appraisal& appraisal) {
  return !appraisal.faults.empty() &&
         (appraisal.log.has_value() || appraisal.faults.has(FaultClass::kTampering));
}

AttemptRecord attempt_record(const NodeRecord& before, const Appraisal& appraisal, Instant now) {
  const bool findings = has_findings(appraisal);
  const bool rejected = !findings && !appraisal.log;
  return {.node = before.id,
          .at = now,
          .standing = decide(before.standing, appraisal, now),
          .rebooted = appraisal.log.has_value() && appraisal.continuity == Continuity::kRebooted,
          .checkpoint = appraisal.next,
          .clock = appraisal.log ? appraisal.clock : std::nullopt,
          .boot = appraisal.log ? appraisal.boot : std::nullopt,
          .monitored = appraisal.log ? appraisal.log->monitored : std::vector<MonitoredFile>{},
          .faults = findings ? appraisal.faults.listed() : std::vector<Fault>{},
          .faults_total = findings ? appraisal.faults.total() : 0,
          .findings = findings,
          .rejection = rejected ? std::optional(appraisal.faults.listed().at(0)) : std::nullopt};
}

// `record` after `attempt`, as the store has it.
void advance(NodeRecord& record, const AttemptRecord& attempt, std::uint64_t new_violations) {
  record.standing = attempt.standing;
  if (attempt.rebooted) {
    ++record.boot;
    record.open_violations = 0;
  }
  if (attempt.checkpoint) record.checkpoint = *attempt.checkpoint;
  if (attempt.clock) record.clock = attempt.clock;
  if (attempt.boot) record.boot_pcrs = attempt.boot->pcrs;
  record.open_violations += new_violations;
  if (attempt.rejection) {
    record.last_rejection = attempt.rejection;
    record.last_rejection_at = attempt.at;
  } else {
    record.faults = kept(attempt.faults);
    record.faults_total = attempt.faults_total;
  }
}

}  // namespace

NodeRecord Ledger::record(NodeId node) const {
  return nodes_.with([&](const Nodes& nodes) { return nodes.at(node).record; });
}

void Ledger::replace(NodeRecord record, const std::vector<Fault>& found) {
  nodes_.with([&](Nodes& nodes) { nodes.at(record.id).record = record; });
  for (VerdictSink* sink : sinks_) sink->publish(record, found);
}

Status Ledger::load(Instant now) {
  const std::scoped_lock lock(changing_);
  ASSAY_TRY(std::vector<NodeRecord> records, store_.nodes());
  for (NodeRecord& node : records) {
    auto ak = parse_ak_public(node.ak_public);
    if (!ak) {
      return fail(FaultId::kStoreFailed,
                  "node " + node.name + " has an unreadable key: " + format_fault(ak.error()));
    }
    const Standing standing = restore(node.standing, deadline_, now);
    if (standing.state != node.standing.state) {
      ASSAY_OK(store_.set_standing(node.id, standing, now));
      node.standing = standing;
    }
    nodes_.with([&](Nodes& nodes) { nodes.emplace(node.id, Entry{node, *std::move(ak), now}); });
    replace(std::move(node), {});
  }
  return {};
}

Result<NodeRecord> Ledger::enrol(std::string_view name, const AkPublic& ak, Instant now) {
  if (!is_node_name(name)) {
    return fail(FaultId::kRequestInvalid,
                "a node's name is 1 to 253 of a-z, 0-9, '-' and '.', as Kubernetes has it");
  }
  const std::scoped_lock lock(changing_);
  ASSAY_TRY(NodeRecord enrolled, store_.enrol_node(name, ak, now));
  return take_over(std::move(enrolled), ak, now);
}

Result<std::optional<NodeRecord>> Ledger::admit(const AdmissionRequest& request, Instant now) {
  const std::scoped_lock lock(changing_);
  ASSAY_TRY(std::optional<NodeRecord> admitted, store_.admit(request, now));
  if (!admitted) return std::nullopt;
  return take_over(*std::move(admitted), request.keys.ak, now);
}

Result<NodeRecord> Ledger::approve(std::string_view name, const std::optional<Digest>& ek,
                                   Instant now) {
  const std::scoped_lock lock(changing_);
  ASSAY_TRY(NodeRecord approved, store_.approve(name, ek, now));
  ASSAY_TRY(const AkPublic ak, parse_ak_public(approved.ak_public));
  return take_over(std::move(approved), ak, now);
}

Result<NodeRecord> Ledger::allow_re_enrolment(std::string_view name, Instant until) {
  const std::scoped_lock lock(changing_);
  ASSAY_TRY(NodeRecord known, node(name));
  ASSAY_OK(store_.allow_re_enrolment(known.id, until));
  known.re_enrol_until = until;
  replace(known, {});
  return known;
}

// `record` with these keys as it stands in the store. An answer to a challenge on other keys counts
// no more.
NodeRecord Ledger::take_over(NodeRecord record, const AkPublic& ak, Instant now) {
  const bool changed = nodes_.with([&](Nodes& nodes) {
    const auto [it, added] = nodes.try_emplace(record.id, Entry{record, ak, now});
    if (added) return true;
    Entry& entry = it->second;
    if (entry.record.boot == record.boot) return false;  // keys are replaced with a new boot only
    entry = Entry{record, ak, now, entry.revision + 1};
    return true;
  });
  if (changed) replace(record, {});
  return record;
}

Result<NodeRecord> Ledger::node(std::string_view name) const {
  return nodes_.with([&](const Nodes& nodes) -> Result<NodeRecord> {
    for (const auto& [id, entry] : nodes) {
      if (entry.record.name == name) return entry.record;
    }
    return fail(FaultId::kNotFound, "no node of this name is enrolled");
  });
}

std::vector<NodeRecord> Ledger::nodes() const {
  std::vector<NodeRecord> out;
  nodes_.with([&](const Nodes& nodes) {
    for (const auto& [id, entry] : nodes) out.push_back(entry.record);
  });
  std::ranges::sort(out, {}, &NodeRecord::name);
  return out;
}

Result<NodeId> Ledger::find(const Digest& ak_fingerprint, Instant now) const {
  return nodes_.with([&](const Nodes& nodes) -> Result<NodeId> {
    for (const auto& [id, entry] : nodes) {
      const NodeRecord& node = entry.record;
      const bool has_to_enrol = node.re_enrol_until && now <= *node.re_enrol_until;
      if (node.ak_fingerprint == ak_fingerprint && !has_to_enrol) return id;
    }
    return fail(FaultId::kAkUnknown, "key " + format_digest(ak_fingerprint));
  });
}

Basis Ledger::basis(NodeId node) const {
  return nodes_.with([&](const Nodes& nodes) {
    const Entry& entry = nodes.at(node);
    return Basis{.node = node,
                 .name = entry.record.name,
                 .ak = entry.ak,
                 .from = entry.record.checkpoint,
                 .last_clock = entry.record.clock,
                 .boot_pcrs = entry.record.boot_pcrs,
                 .boot_due = entry.boot_due,
                 .revision = entry.revision};
  });
}

Result<Ledger::Outcome> Ledger::apply(const Basis& basis, const Appraisal& appraisal,
                                      const GoldenUse& use, Instant now) {
  ASSAY_CHECK(!appraisal.ask_again());
  const std::scoped_lock lock(changing_);
  NodeRecord node = record(basis.node);
  const bool overtaken = nodes_.with(
      [&](const Nodes& nodes) { return nodes.at(basis.node).revision != basis.revision; });
  if (overtaken) return Outcome{.node = std::move(node), .outdated = true};
  AttemptRecord attempt = attempt_record(node, appraisal, now);
  attempt.golden = use;
  ASSAY_TRY(const std::uint64_t added, store_.commit(attempt));
  advance(node, attempt, added);
  nodes_.with([&](Nodes& nodes) {
    Entry& entry = nodes.at(basis.node);
    if (appraisal.log) ++entry.revision;
    if (appraisal.log && appraisal.boot) entry.boot_due = false;
  });
  replace(node, added > 0 ? attempt.faults : std::vector<Fault>{});
  return Outcome{.node = std::move(node)};
}

Result<NodeRecord> Ledger::reject(NodeId id, const Fault& fault, Instant now) {
  const std::scoped_lock lock(changing_);
  NodeRecord node = record(id);
  const AttemptRecord attempt{.node = id, .at = now, .standing = node.standing, .rejection = fault};
  ASSAY_TRY(const std::uint64_t added, store_.commit(attempt));
  advance(node, attempt, added);
  replace(node, {});
  return node;
}

Status Ledger::expire_all(Instant now) {
  const std::scoped_lock lock(changing_);
  std::vector<NodeRecord> expired;
  nodes_.with([&](const Nodes& nodes) {
    for (const auto& [id, entry] : nodes) {
      const Standing after = expire(entry.record.standing, entry.watching_since, deadline_, now);
      if (after.state == entry.record.standing.state) continue;
      expired.push_back(entry.record);
      expired.back().standing = after;
    }
  });
  Status first_failure;
  for (NodeRecord& node : expired) {
    Status stored = store_.set_standing(node.id, node.standing, now);
    if (!stored && first_failure) first_failure = std::move(stored);
    replace(std::move(node), {});
  }
  return first_failure;
}

Result<Ledger::Acknowledged> Ledger::acknowledge(std::string_view name, std::string_view reason,
                                                 Instant now) {
  const std::scoped_lock lock(changing_);
  ASSAY_TRY(NodeRecord known, node(name));
  const Standing after = assay::acknowledge(known.standing, now);
  ASSAY_TRY(const std::uint64_t closed, store_.acknowledge(known.id, after, reason, now));
  known.standing = after;
  known.open_violations = 0;
  known.faults.clear();
  known.faults_total = 0;
  nodes_.with([&](Nodes& nodes) { nodes.at(known.id).boot_due = true; });
  replace(known, {});
  return Acknowledged{.node = std::move(known), .closed = closed};
}

}  // namespace assay
