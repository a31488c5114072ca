// Which golden sets somebody may speak for, by their names.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// A name ("host/debian-12"), everything below one ("shop/", which "shopping" is not), or all ("*").
class NameScope {
 public:
  // Nothing for text that is none of them.
  static std::optional<NameScope> parse(std::string_view pattern);

  bool covers(std::string_view set_name) const;
  const std::string& pattern() const { return pattern_; }

 private:
  explicit NameScope(std::string_view pattern) : pattern_(pattern) {}
  std::string pattern_;
};

bool any_covers(const std::vector<NameScope>& scopes, std::string_view set_name);

}  // namespace assay
