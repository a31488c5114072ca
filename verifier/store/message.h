// What notifications say: JSON bodies {"type", "timestamp", "data"}, each under 20 kB, with node
// text escaped and shortened.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/verdict.h"
#include "verifier/store/store.h"

namespace assay {

inline constexpr std::string_view kViolationDetected = "assay.violation.detected";
inline constexpr std::string_view kNodeStateChanged = "assay.node.state_changed";
inline constexpr std::string_view kViolationSummary = "assay.violation.summary";

// "2026-11-23T18:07:17.804Z"
std::string format_rfc3339(Instant instant);

// One new violation. `state` is the node's after it.
std::string format_violation(const ViolationRecord& violation, NodeState state);

struct StateChange {
  std::string_view node;
  NodeState from;
  NodeState to;
  std::uint64_t faults_total;
  Instant at;
};
std::string format_state_change(const StateChange& change);

// What was not sent singly since `since`, because too much of one node waits already. A later
// summary with the same `since` counts these again, and replaces this one.
struct Summary {
  std::string_view node;
  NodeState state;
  Instant since;
  std::uint64_t violations;
  std::uint64_t state_changes;
  Instant at;
};
std::string format_summary(const Summary& summary);

}  // namespace assay
