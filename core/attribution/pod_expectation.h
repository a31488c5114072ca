// What judging a node's log has to know of its pods.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "core/attribution/cluster_snapshot.h"

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
};

// Borrowed for the call.
struct PodExpectation {
  const ClusterSnapshot* cluster = nullptr;  // null: nobody says which pods there are
  std::string_view node = {};
  std::span<const NamespaceRule> rules = {};  // the first that names a namespace counts
};

// Whose an entry is.
struct EntryOwner {
  PodLabel label;
  const PodFacts* pod = nullptr;  // null: the control plane has no such pod on this node
  NamespaceMode mode = NamespaceMode::kEnforce;
};

// The owner of an entry that has a label. A mode other than kEnforce takes an entry laid out as the template
// ima-cgpath, and the cgroup of a pod that the control plane has put on this node: a file's owner may be
// anybody's who can make a user namespace, and a mirror pod has come from the node itself.
std::optional<EntryOwner> owner_of(const ImaEntry& entry, const PodExpectation& expected);

// describe() of the label, and which pod that is.
std::string describe(const EntryOwner& owner, const PodExpectation& expected);

}  // namespace assay
