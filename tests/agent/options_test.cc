#include "agent/options.h"

#include <doctest/doctest.h>

#include <vector>

namespace assay::agent {
namespace {

std::variant<Options, int> parse(std::vector<const char*> args) {
  args.insert(args.begin(), "assay-agent");
  return parse_options(static_cast<int>(args.size()), args.data());
}

TEST_CASE("parse_options: without a task the agent serves, with the usual configuration") {
  const auto got = std::get<Options>(parse({}));
  CHECK(got.task == Options::Task::kServe);
  CHECK(got.config == "/etc/assay/agent.yaml");
}

TEST_CASE("parse_options: each task") {
  const auto check = std::get<Options>(parse({"--config", "a.yaml", "--check-config"}));
  CHECK(check.task == Options::Task::kCheckConfig);
  CHECK(check.config == "a.yaml");
  const auto print = std::get<Options>(parse({"--print-ak", "-"}));
  CHECK(print.task == Options::Task::kPrintAk);
  CHECK(print.ak_file == "-");
}

TEST_CASE("parse_options: a wrong command line has its own exit status") {
  CHECK(std::get<int>(parse({"--bogus"})) == kExitUsage);
  CHECK(std::get<int>(parse({"--config"})) == kExitUsage);
  CHECK(std::get<int>(parse({"--check-config", "--print-ak", "x"})) == kExitUsage);
}

TEST_CASE("parse_options: help and version are answers, not errors") {
  CHECK(std::get<int>(parse({"--help"})) == 0);
  CHECK(std::get<int>(parse({"--version"})) == 0);
}

}  // namespace
}  // namespace assay::agent
