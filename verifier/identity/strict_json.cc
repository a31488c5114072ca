#include "verifier/identity/strict_json.h"

#include <algorithm>
#include <set>
#include <vector>

namespace assay {
namespace {

using nlohmann::json;

// Sees the parser's events, and lets it go on whatever they are.
class StructureCheck {
 public:
  bool operator()(int /*depth*/, json::parse_event_t event, const json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start:
      case json::parse_event_t::array_start:
        too_deep_ = too_deep_ || ++depth_ > kMaxJsonDepth;
        if (!too_deep_) seen_.resize(depth_);
        break;
      case json::parse_event_t::object_end:
      case json::parse_event_t::array_end:
        if (!too_deep_) seen_.resize(--depth_);
        break;
      case json::parse_event_t::key:
        twice_ = twice_ || (!too_deep_ && !seen_.back().insert(parsed.get<std::string>()).second);
        break;
      case json::parse_event_t::value:
        break;
    }
    return true;
  }

  bool twice() const { return twice_; }
  bool too_deep() const { return too_deep_; }

 private:
  std::vector<std::set<std::string>> seen_;  // members of each object that is open
  std::size_t depth_ = 0;
  bool twice_ = false;
  bool too_deep_ = false;
};

}  // namespace

Result<json> parse_strict_object(ByteView text, FaultId malformed) {
  // nlohmann's lexer takes a NUL for the end, and would not look at what stands behind it.
  if (std::ranges::find(text, std::uint8_t{0}) != text.end()) return fail(malformed, "a NUL byte");
  StructureCheck check;
  const auto watch = [&check](int depth, json::parse_event_t event, json& parsed) {
    return check(depth, event, parsed);
  };
  json root = json::parse(text.begin(), text.end(), watch, false);
  if (check.too_deep()) return fail(malformed, "JSON that is nested too deep");
  if (check.twice()) return fail(malformed, "a member stands twice");
  if (!root.is_object()) return fail(malformed, "not a JSON object");
  return root;
}

const std::string* text_member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

}  // namespace assay
