#include "cli/options.h"

#include <doctest/doctest.h>

using namespace assay;

namespace {

bool takes(const CLI::Validator& validator, std::string text) {
  return validator(text).empty();
}

}  // namespace

TEST_CASE("node_name: takes what Kubernetes takes") {
  for (const std::string name : {"a", "worker-1.example", "0"}) CHECK(takes(node_name(), name));
  CHECK(takes(node_name(), std::string(253, 'a')));
  for (const std::string name : {"", "A", "a_b", "a b", "a/b", "\xc3\xa9"}) {
    CAPTURE(name);
    CHECK_FALSE(takes(node_name(), name));
  }
  CHECK_FALSE(takes(node_name(), std::string(254, 'a')));
}

TEST_CASE("set_name: takes what a set file takes") {
  CHECK(takes(set_name(), "host/debian-12"));
  CHECK_FALSE(takes(set_name(), "host debian"));
  CHECK_FALSE(takes(set_name(), ""));
}

TEST_CASE("printable_text: takes text that needs no escaping, backslashes too") {
  const CLI::Validator text = printable_text(10);
  CHECK(takes(text, "a\\b \xc3\xa9"));
  CHECK(takes(text, "0123456789"));
  for (const std::string bad : {"", "0123456789a", "a\nb", "\x1b", "\xff", "\xe2\x80\xae"}) {
    CAPTURE(bad);
    CHECK_FALSE(takes(text, bad));
  }
}
