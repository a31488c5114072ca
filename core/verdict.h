// From appraisals to the state of a node.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/attest.h"

namespace assay {

using Instant = std::chrono::sys_time<std::chrono::milliseconds>;  // UTC

enum class NodeState : std::uint8_t { kUnknown, kTrusted, kCompromised, kStale };

inline constexpr NodeState kAllNodeStates[] = {NodeState::kUnknown, NodeState::kTrusted,
                                               NodeState::kCompromised, NodeState::kStale};

std::string_view node_state_name(NodeState state);
std::optional<NodeState> node_state_by_name(std::string_view name);

// A node's standing between two attempts.
struct Standing {
  NodeState state = NodeState::kUnknown;
  Instant since{};                         // when `state` began
  std::optional<Instant> last_verified{};  // when evidence was last proven
  bool has_open_violations =
      false;  // critical ones of this boot, not acknowledged: keep it compromised
};

// Whether an appraisal shows something that must not be: a critical fault of authentic evidence, or
// tampering with it. Warnings are reported, and leave a node as it is.
bool is_guilty(const Appraisal& appraisal);

// What an appraisal at `now` makes of a node.
//   proven log, no critical fault  trusted, unless critical violations of this boot are still open
//   proven log with one            compromised
//   a quote that contradicts what came with it or before (kTampering)   compromised
//   anything else that is invalid  no change: an answer that proves nothing is no answer, and the
//                                  deadline makes it stale
// A signed reset ends the violations of the boot before.
Standing decide(const Standing& before, const Appraisal& appraisal, Instant now);

// What the clock alone makes of a node: stale once `deadline` has passed without proven evidence.
// Time during which nobody could have seen any does not count: `watching_since` is when the verifier
// started, or the node was enrolled, whichever is later. A compromised node stays so.
Standing expire(const Standing& before, Instant watching_since, std::chrono::milliseconds deadline,
                Instant now);

// What a restart of the verifier makes of a node: a verdict that has expired while nobody watched
// is unknown, neither green nor yet an alarm.
Standing restore(const Standing& before, std::chrono::milliseconds deadline, Instant now);

// What an operator's acknowledgement makes of a node: no open violations, and unknown until the
// next evidence when it was compromised.
Standing acknowledge(const Standing& before, Instant now);

}  // namespace assay
