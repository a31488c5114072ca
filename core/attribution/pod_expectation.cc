#include "core/attribution/pod_expectation.h"

#include <algorithm>
#include <array>
#include <utility>

namespace assay {
namespace {

constexpr std::array kModes = {
    std::pair{NamespaceMode::kEnforce, std::string_view("enforce")},
    std::pair{NamespaceMode::kWarn, std::string_view("warn")},
    std::pair{NamespaceMode::kMonitor, std::string_view("monitor")},
};

NamespaceMode mode_of(std::string_view name_space, Attribution attribution,
                      std::span<const NamespaceRule> rules) {
  const auto rule = std::ranges::find_if(
      rules, [&](const NamespaceRule& each) { return each.names.contains(name_space); });
  return rule == rules.end() || attribution > rule->weakest ? NamespaceMode::kEnforce : rule->mode;
}

// Whether an entry is laid out as what writes its kind of label does it: the patch for cgroups, the stock
// template evm-sig. A record's template name is the node's word: root could rename a record so that another
// field, which holds what root or a pod likes, is read as a label. Every stock template begins with a digest,
// so its entries read as a cgroup's contradict themselves; and no other has as many fields as evm-sig.
bool has_layout(const ImaEntry& entry, Attribution attribution) {
  constexpr std::array kCgPath = {ImaField::kDep, ImaField::kCgPath, ImaField::kDNg,
                                  ImaField::kNNg};
  constexpr std::array kEvmSig = {
      ImaField::kDNg,        ImaField::kNNg,          ImaField::kEvmSig,
      ImaField::kXattrNames, ImaField::kXattrLengths, ImaField::kXattrValues,
      ImaField::kIuid,       ImaField::kIgid,         ImaField::kImode};
  const auto is_laid_out = [&](std::span<const ImaField> layout) {
    return std::ranges::equal(entry.all_fields(), layout, {}, &ImaFieldValue::field);
  };
  return attribution == Attribution::kCgroup ? is_laid_out(kCgPath) : is_laid_out(kEvmSig);
}

}  // namespace

std::string_view namespace_mode_name(NamespaceMode mode) {
  return kModes[static_cast<std::size_t>(mode)].second;
}

std::optional<NamespaceMode> namespace_mode_by_name(std::string_view name) {
  for (const auto& [mode, known] : kModes) {
    if (name == known) return mode;
  }
  return std::nullopt;
}

const PodFacts* find_pod(const PodLabel& label, const PodExpectation& expected) {
  // A pod that is on no node yet is not on one without a name.
  if (expected.cluster == nullptr || expected.node.empty()) return nullptr;
  if (label.attribution() == Attribution::kCgroup) {
    return expected.cluster->find(label, expected.node);
  }
  const PodLabel* claimed = expected.ranges ? expected.ranges->pod_of(label) : nullptr;
  const PodFacts* pod = claimed ? expected.cluster->find(*claimed, expected.node) : nullptr;
  return pod != nullptr && pod->has_own_users && !pod->is_mirror ? pod : nullptr;
}

std::optional<EntryOwner> owner_of(const ImaEntry& entry, const PodExpectation& expected) {
  const auto label = pod_label(entry);
  if (!label) return std::nullopt;
  EntryOwner out{.label = *label, .pod = find_pod(*label, expected)};
  const bool is_fact = out.pod != nullptr && !out.pod->is_mirror;
  if (is_fact && has_layout(entry, label->attribution())) {
    out.mode = mode_of(out.pod->name_space, label->attribution(), expected.rules);
  }
  return out;
}

std::string describe(const EntryOwner& owner, const PodExpectation& expected) {
  std::string out = describe(owner.label);
  const bool is_pod = owner.label.attribution() == Attribution::kCgroup;
  if (owner.pod != nullptr) {
    return out + " (" + owner.pod->name_space + '/' + owner.pod->name +
           (is_pod ? ")" : ", as its node says)");
  }
  if (expected.cluster != nullptr && is_pod) out += ", which is no pod of this node";
  return out;
}

}  // namespace assay
