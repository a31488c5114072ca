// Two hundred nodes at once, each with a TPM and a TLS connection of its own.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "tests/integration/operator_client.h"
#include "tests/integration/simulated_agent.h"

using namespace assay;
using namespace assay::testing;

namespace {

constexpr std::size_t kNodes = 200;
constexpr std::size_t kBadNodes = 20;
constexpr std::chrono::seconds kDeadline{120};  // of a sanitized build on a busy machine

using Fleet = std::vector<std::unique_ptr<SimulatedAgent>>;

// A name that sorts as its number.
std::string name_of(std::size_t index) {
  const std::string number = std::to_string(index);
  std::string out = "node-000";
  return out.replace(out.size() - number.size(), number.size(), number);
}

std::size_t count_in(const Fleet& fleet, const std::string& state) {
  return static_cast<std::size_t>(std::ranges::count_if(
      fleet, [&](const auto& agent) { return agent->seen().state == state; }));
}

std::set<std::string> names_in(const OperatorClient& operators, const std::string& state) {
  std::set<std::string> out;
  for (const v1::Node& node : operators.nodes()) {
    if (node.state() == state) out.insert(node.name());
  }
  return out;
}

Fleet start_fleet(const RunningVerifier& verifier, const OperatorClient& operators) {
  Fleet fleet;
  for (std::size_t i = 0; i < kNodes; ++i) {
    fleet.push_back(std::make_unique<SimulatedAgent>());
    fleet.back()->run("/bin/good", "good");
    operators.enrol(name_of(i), fleet.back()->ak_public());
  }
  for (const auto& agent : fleet) agent->connect(connect(verifier));
  return fleet;
}

}  // namespace

TEST_CASE(
    "assay-verifier: of two hundred nodes at once exactly those are compromised that ran an "
    "unknown file") {
  RunningVerifier verifier;
  const OperatorClient operators(verifier);
  operators.push_golden("host", {"good"});
  const Fleet fleet = start_fleet(verifier, operators);
  REQUIRE(eventually([&] { return count_in(fleet, "trusted") == kNodes; }, kDeadline));
  CHECK(verifier.metric(R"(assay_nodes{state="trusted"})") == kNodes);

  std::set<std::string> bad;
  for (std::size_t i = 0; i < kBadNodes; ++i) {
    const std::size_t index = i * (kNodes / kBadNodes) + 3;
    bad.insert(name_of(index));
    fleet[index]->run("/tmp/evil", "evil");
  }
  REQUIRE(eventually([&] { return count_in(fleet, "compromised") == kBadNodes; }, kDeadline));
  CHECK(names_in(operators, "compromised") == bad);
  CHECK(names_in(operators, "trusted").size() == kNodes - kBadNodes);

  std::multiset<std::string> blamed;
  for (const v1::Violation& violation : operators.violations()) {
    blamed.insert(violation.node());
    CHECK(violation.fault().path() == "/tmp/evil");
  }
  CHECK(std::ranges::equal(blamed, bad));
  CHECK(verifier.metric(R"(assay_violations_active{kind="ima.unknown_digest"})") == kBadNodes);
  for (const auto& agent : fleet) CHECK(agent->seen().ended == "");
  MESSAGE("resident memory with " << kNodes << " nodes: " << verifier.resident_bytes() / 1024
                                  << " KiB");
}
