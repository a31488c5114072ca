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

NamespaceMode mode_of(std::string_view name_space, std::span<const NamespaceRule> rules) {
  const auto rule = std::ranges::find_if(
      rules, [&](const NamespaceRule& each) { return each.names.contains(name_space); });
  return rule == rules.end() ? NamespaceMode::kEnforce : rule->mode;
}

// Whether an entry is laid out as the patch for cgroups does it. A record's template name is the node's word:
// root could rename a record so that another field, which holds what root likes, is read as a cgroup. Every
// stock template begins with a digest, so its entries read so contradict themselves.
bool has_cgroup_layout(const ImaEntry& entry) {
  constexpr std::array kLayout = {ImaField::kDep, ImaField::kCgPath, ImaField::kDNg,
                                  ImaField::kNNg};
  return std::ranges::equal(entry.all_fields(), kLayout, {}, &ImaFieldValue::field);
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

std::optional<EntryOwner> owner_of(const ImaEntry& entry, const PodExpectation& expected) {
  const auto label = pod_label(entry);
  if (!label) return std::nullopt;
  EntryOwner out{.label = *label};
  // A pod that is on no node yet is not on one without a name.
  if (expected.cluster != nullptr && !expected.node.empty()) {
    out.pod = expected.cluster->find(*label, expected.node);
  }
  const bool is_fact = out.pod != nullptr && !out.pod->is_mirror;
  if (is_fact && has_cgroup_layout(entry)) {
    out.mode = mode_of(out.pod->name_space, expected.rules);
  }
  return out;
}

std::string describe(const EntryOwner& owner, const PodExpectation& expected) {
  std::string out = describe(owner.label);
  if (owner.pod != nullptr) return out + " (" + owner.pod->name_space + '/' + owner.pod->name + ')';
  const bool is_pod = owner.label.attribution() == Attribution::kCgroup;
  if (expected.cluster != nullptr && is_pod) out += ", which is no pod of this node";
  return out;
}

}  // namespace assay
