#include "verifier/access/name_scope.h"

#include <doctest/doctest.h>

using assay::NameScope;

TEST_CASE("NameScope: a name, what is below one, or all") {
  struct Row {
    const char* pattern;
    const char* name;
    bool covered;
  };
  const Row rows[] = {
      {"*", "shop/web", true},           {"*", "*", true},
      {"shop/web", "shop/web", true},    {"shop/web", "shop/web2", false},
      {"shop/web", "shop/web/x", false}, {"shop/", "shop/web", true},
      {"shop/", "shop/a/b", true},       {"shop/", "shopping", false},
      {"shop/", "shop", false},          {"shop/", "SHOP/web", false},
      {"shop", "shop/", false},          {"a/", "b/a/c", false},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.pattern) + " " + row.name);
    CHECK(NameScope::parse(row.pattern)->covers(row.name) == row.covered);
  }
}

TEST_CASE("NameScope: text that looks like more than it means is refused") {
  for (const std::string pattern : {"", "shop/*", "**", "*/", "a b", "caf\xc3\xa9", "a\n"}) {
    CAPTURE(pattern);
    CHECK_FALSE(NameScope::parse(pattern).has_value());
  }
  CHECK_FALSE(NameScope::parse(std::string(257, 'a')).has_value());
}
