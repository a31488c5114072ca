#include "cli/policy.h"

#include <doctest/doctest.h>

using namespace assay;

TEST_CASE("parse_policy: what is left out has its safe default") {
  for (const std::string yaml : {"", "# nothing\n", "---\n", "{}", "allow_sha1: false\n"}) {
    CAPTURE(yaml);
    const auto policy = parse_policy(yaml);
    REQUIRE(policy.has_value());
    CHECK_FALSE(policy->allow_sha1);
  }
  const auto policy = parse_policy("allow_sha1: true\n");
  REQUIRE(policy.has_value());
  CHECK(policy->allow_sha1);
}

TEST_CASE("parse_policy: refuses all else, and says where") {
  struct Row {
    std::string yaml;
    std::string says;
  };
  const Row rows[] = {
      {"allow_sha1: true\nallow_sha2: true\n", "line 2: unknown key \"allow_sha2\""},
      {"allow_sha1: yes\n", "line 1: allow_sha1 has to be true or false"},
      {"allow_sha1:\n", "allow_sha1 has to be true or false"},
      {"allow_sha1: [true]\n", "allow_sha1 has to be true or false"},
      {"allow_sha1: false\nallow_sha1: true\n", "line 2: allow_sha1 is given twice"},
      {"- allow_sha1\n", "not a map"},
      {"true\n", "not a map"},
      {"[1]: x\n", "unknown key"},
      {"a: b: c\n", "line 1: "},
      {"\"\\e[31m\": 1\n", "unknown key \"\\x1b[31m\""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    const auto policy = parse_policy(row.yaml);
    REQUIRE_FALSE(policy.has_value());
    CHECK(policy.error().id == FaultId::kConfigInvalid);
    CAPTURE(policy.error().detail);
    CHECK(policy.error().detail.find(row.says) != std::string::npos);
  }
}
