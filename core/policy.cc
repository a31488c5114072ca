#include "core/policy.h"

#include <algorithm>

namespace assay {
namespace {

bool is_member(const NodeClass& node_class, std::string_view node) {
  if (node_class.nodes.empty() && node_class.node_prefixes.empty()) return true;
  return node_class.nodes.contains(node) ||
         std::ranges::any_of(node_class.node_prefixes,
                             [&](const std::string& prefix) { return node.starts_with(prefix); });
}

}  // namespace

const NodeClass& Policy::class_of(std::string_view node) const {
  static const NodeClass kWithoutRules;
  const auto found = std::ranges::find_if(
      classes, [&](const NodeClass& node_class) { return is_member(node_class, node); });
  return found == classes.end() ? kWithoutRules : *found;
}

}  // namespace assay
