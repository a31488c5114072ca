#include "core/verdict.h"

#include <algorithm>

namespace assay {
namespace {

Standing with_state(Standing standing, NodeState state, Instant now) {
  if (standing.state != state) {
    standing.state = state;
    standing.since = now;
  }
  return standing;
}

}  // namespace

std::string_view node_state_name(NodeState state) {
  switch (state) {
    case NodeState::kUnknown:
      return "unknown";
    case NodeState::kTrusted:
      return "trusted";
    case NodeState::kCompromised:
      return "compromised";
    case NodeState::kStale:
      return "stale";
  }
  return "unknown";
}

std::optional<NodeState> node_state_by_name(std::string_view name) {
  for (const NodeState state : kAllNodeStates) {
    if (node_state_name(state) == name) return state;
  }
  return std::nullopt;
}

bool is_guilty(const Appraisal& appraisal) {
  const bool critical = appraisal.faults.worst() == Severity::kCritical;
  return (appraisal.log && critical) || appraisal.faults.has(FaultClass::kTampering);
}

Standing decide(const Standing& before, const Appraisal& appraisal, Instant now) {
  Standing after = before;
  const bool proven = appraisal.log.has_value();
  if (proven) {
    after.last_verified = now;
    if (appraisal.continuity == Continuity::kRebooted) after.has_open_violations = false;
  }
  if (is_guilty(appraisal)) {
    after.has_open_violations = true;
    return with_state(after, NodeState::kCompromised, now);
  }
  if (!proven) return after;
  return with_state(after,
                    after.has_open_violations ? NodeState::kCompromised : NodeState::kTrusted, now);
}

Standing expire(const Standing& before, Instant watching_since, std::chrono::milliseconds deadline,
                Instant now) {
  const bool can_expire =
      before.state == NodeState::kTrusted || before.state == NodeState::kUnknown;
  const Instant seen = std::max(before.last_verified.value_or(watching_since), watching_since);
  if (!can_expire || now - seen <= deadline) return before;
  return with_state(before, NodeState::kStale, now);
}

Standing restore(const Standing& before, std::chrono::milliseconds deadline, Instant now) {
  const bool fresh = before.last_verified && now - *before.last_verified <= deadline;
  if (before.state != NodeState::kTrusted || fresh) return before;
  return with_state(before, NodeState::kUnknown, now);
}

Standing acknowledge(const Standing& before, Instant now) {
  Standing after = before;
  after.has_open_violations = false;
  if (before.state != NodeState::kCompromised) return after;
  return with_state(after, NodeState::kUnknown, now);
}

}  // namespace assay
