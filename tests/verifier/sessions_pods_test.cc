// What sessions make of pods that the control plane knows.
#include <doctest/doctest.h>

#include "tests/support/golden_file.h"
#include "tests/verifier/sessions_case.h"
#include "verifier/store/monitored_rows.h"

using namespace assay;
using namespace assay::testing;

namespace {

constexpr std::string_view kCgroup = "/kubepods/pod11111111-2222-4333-8444-555555555555/c";

std::shared_ptr<const ClusterSnapshot> pod_on(const std::string& node) {
  const auto label = *PodLabel::pod("11111111-2222-4333-8444-555555555555");
  return std::make_shared<const ClusterSnapshot>(
      std::map<PodLabel, PodFacts>{{label, {"staging", "web-1", node}}});
}

Policy monitoring() {
  return {.namespaces = {{.names = {"staging"}, .mode = NamespaceMode::kMonitor}}};
}

}  // namespace

TEST_CASE("Sessions: a monitored namespace's unknown file is in a draft once the verdict is") {
  World world({}, monitoring());
  world.pods = pod_on("n1");
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello());
  node.run_in_cgroup("/bin/new", "new", kCgroup);
  CHECK(agent.answer() == "trusted");
  const auto draft = world.store.golden_set({monitored_set_name("staging")});
  REQUIRE(draft);
  CHECK(draft->state == GoldenState::kDraft);
  CHECK(draft->files == 1);
  CHECK(world.ledger.node("n1")->open_violations == 0);
}

TEST_CASE(
    "Sessions: the same file of a pod that is not on this node, or of no cluster, is a fault") {
  for (const auto& pods : {pod_on("n2"), std::shared_ptr<const ClusterSnapshot>()}) {
    World world({}, monitoring());
    world.pods = pods;
    EnrolledNode node(world);
    Agent agent(world, node);
    REQUIRE(agent.hello());
    node.run_in_cgroup("/bin/new", "new", kCgroup);
    CHECK(agent.answer() == "compromised");
    CHECK(agent.link.outcomes().back().first_fault.starts_with("ima.unknown_digest"));
    CHECK_FALSE(world.store.golden_set({monitored_set_name("staging")}));
  }
}

TEST_CASE("Sessions: history has the names of pods, as the control plane had them") {
  World world;
  world.pods = pod_on("n1");
  const GoldenSet set{.name = "web", .source = "rootfs", .files = {file("/bin/web", "web")}};
  REQUIRE(world.store.push_golden({.set = set, .digest = digest_of("web set"), .by = "test"},
                                  world.clock.now()));
  REQUIRE(world.golden.refresh(world.store, world.clock.now()));
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello());
  node.run_in_cgroup("/bin/web", "web", kCgroup);
  CHECK(agent.answer() == "trusted");
  world.pods = std::make_shared<const ClusterSnapshot>();  // it has ended
  const auto runs = world.store.golden_runs({"web"});
  REQUIRE(runs);
  REQUIRE(runs->pods.size() == 1);
  CHECK(runs->pods[0].name == "staging/web-1");
  CHECK(runs->pods[0].node == "n1");
}
