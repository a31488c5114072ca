#include "verifier/access/name_scope.h"

#include <algorithm>

#include "golden/set_file.h"

namespace assay {
namespace {

constexpr std::string_view kAll = "*";

}  // namespace

std::optional<NameScope> NameScope::parse(std::string_view pattern) {
  // A '*' within a name would look like a wildcard, and be none.
  const bool has_star = pattern.find('*') != std::string_view::npos;
  if (!valid_set_name(pattern) || (has_star && pattern != kAll)) return std::nullopt;
  return NameScope(pattern);
}

bool NameScope::covers(std::string_view set_name) const {
  if (pattern_ == kAll) return true;
  if (pattern_.back() == '/') return set_name.starts_with(pattern_);
  return set_name == pattern_;
}

bool any_covers(const std::vector<NameScope>& scopes, std::string_view set_name) {
  return std::ranges::any_of(scopes,
                             [&](const NameScope& scope) { return scope.covers(set_name); });
}

}  // namespace assay
