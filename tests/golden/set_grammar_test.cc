#include "golden/set_grammar.h"

#include <doctest/doctest.h>

using namespace assay;

TEST_CASE("find_set_member: a name is known in its own place only") {
  for (const SetMember& member : kSetMembers) {
    CAPTURE(std::string(member.name));
    CHECK(find_set_member(member.in, member.name) == &member);
    CHECK(find_set_member(SetPlace::kFacts, member.name) == nullptr);
  }
  CHECK(find_set_member(SetPlace::kFile, "digests") == nullptr);
  CHECK(find_set_member(SetPlace::kFile, "") == nullptr);
}
