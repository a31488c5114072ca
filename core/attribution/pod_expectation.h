// What judging a node's log has to know of its pods.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "core/attribution/cluster_snapshot.h"
#include "core/attribution/uid_ranges.h"

namespace assay {

// What a file that is in no golden set means, when a pod of the namespace ran it.
enum class NamespaceMode : std::uint8_t {
  kEnforce,  // it is critical, as everywhere else
  kWarn,     // it is reported, and no verdict
  kMonitor,  // it is drafted for review, and no fault
};

std::string_view namespace_mode_name(NamespaceMode mode);  // "monitor"
std::optional<NamespaceMode> namespace_mode_by_name(std::string_view name);

struct NamespaceRule {
  std::set<std::string, std::less<>> names = {};
  NamespaceMode mode = NamespaceMode::kEnforce;
  // The weakest that may relax it. Whoever may make user namespaces and mounts in any pod makes files that
  // show another pod's range; a cgroup takes root on the node.
  Attribution weakest = Attribution::kCgroup;
};

// Borrowed for the call.
struct PodExpectation {
  const ClusterSnapshot* cluster = nullptr;  // null: nobody says which pods there are
  std::string_view node = {};
  std::span<const NamespaceRule> rules = {};  // the first that names a namespace counts
  const UidRanges* ranges = nullptr;          // as the node claims; null: it claims none
};

// Whose an entry is.
struct EntryOwner {
  PodLabel label;
  const PodFacts* pod = nullptr;  // as find_pod() finds it
  NamespaceMode mode = NamespaceMode::kEnforce;
};

// The pod that `label` names, as the control plane has it on this node; null: it has none. A range of user
// ids names the pod that the node claims for it, when that one has user ids of its own and is no mirror pod:
// the node has written those itself. Borrows from `expected`.
const PodFacts* find_pod(const PodLabel& label, const PodExpectation& expected);

// The owner of an entry that has a label. A mode other than kEnforce takes a pod that find_pod() finds and
// that is no mirror pod, an attribution that its namespace's rule is content with, and an entry that is laid
// out as the template ima-cgpath, or evm-sig for a range of user ids.
std::optional<EntryOwner> owner_of(const ImaEntry& entry, const PodExpectation& expected);

// describe() of the label, and which pod that is.
std::string describe(const EntryOwner& owner, const PodExpectation& expected);

}  // namespace assay
