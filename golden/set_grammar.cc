#include "golden/set_grammar.h"

#include <algorithm>

namespace assay {

const SetMember* find_set_member(SetPlace in, std::string_view name) {
  const auto it = std::ranges::find_if(
      kSetMembers, [&](const SetMember& m) { return m.in == in && m.name == name; });
  return it == kSetMembers.end() ? nullptr : &*it;
}

}  // namespace assay
