// What sessions make of the user ids that nodes claim for their pods.
#include <doctest/doctest.h>

#include "tests/support/golden_file.h"
#include "tests/support/userns_file.h"
#include "tests/verifier/sessions_case.h"
#include "verifier/store/monitored_rows.h"

using namespace assay;
using namespace assay::testing;

namespace {

const std::string kCart = "11111111-2222-4333-8444-555555555555";
const std::string kWeb = "21111111-2222-4333-8444-555555555555";
constexpr std::uint32_t kRange = 131072;

// Both pods are in a monitored namespace.
struct ClaimingWorld : World {
  ClaimingWorld()
      : World({}, {.namespaces = {{.names = {"shop"},
                                   .mode = NamespaceMode::kMonitor,
                                   .weakest = Attribution::kUidRange}}}) {
    const PodFacts cart{.name_space = "shop", .name = "cart", .node = "n1", .has_own_users = true};
    PodFacts web = cart;
    web.name = "web";
    pods = std::make_shared<const ClusterSnapshot>(
        std::map<PodLabel, PodFacts>{{*PodLabel::pod(kCart), cart}, {*PodLabel::pod(kWeb), web}});
  }
};

PodClaims claim(const std::string& uid, std::uint32_t host = kRange) {
  const std::string text = userns_file(host);
  return {.pods = {{uid, Bytes(text.begin(), text.end())}}};
}

std::string last_detail(World& world) {
  return world.ledger.node("n1")->faults.at(0).detail;
}

}  // namespace

TEST_CASE("Sessions: a claimed range is known for the answer that claims it, and for later ones") {
  ClaimingWorld world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello());
  node.run_file_of("/bin/new", "new", kRange);
  agent.claims = claim(kCart);
  CHECK(agent.answer() == "trusted");
  node.run_file_of("/bin/more", "more", kRange + 7);
  CHECK(agent.next_answer() == "trusted");
  agent.claims = PodClaims{};  // the pod has ended
  node.run_file_of("/bin/last", "last", kRange);
  CHECK(agent.next_answer() == "trusted");
  CHECK(world.store.golden_set({monitored_set_name("shop")})->files == 3);
}

TEST_CASE("Sessions: a range that nobody claims is held to the golden sets") {
  ClaimingWorld world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello());
  node.run_file_of("/bin/new", "new", 2 * kRange);
  agent.claims = claim(kCart);
  CHECK(agent.answer() == "compromised");
  CHECK(last_detail(world) == "attributed by uid range to uids 262144-327679");
}

TEST_CASE("Sessions: a range that changes hands relaxes nothing in two evidences") {
  for (const int quiet : {0, 1, 2}) {
    CAPTURE(quiet);
    ClaimingWorld world;
    EnrolledNode node(world);
    Agent agent(world, node);
    REQUIRE(agent.hello());
    agent.claims = claim(kCart);
    CHECK(agent.answer() == "trusted");
    agent.claims = claim(kWeb);
    for (int i = 0; i < quiet; ++i) CHECK(agent.next_answer() == "trusted");
    node.run_file_of("/bin/new", "new", kRange);
    CHECK(agent.next_answer() == (quiet < 2 ? "compromised" : "trusted"));
  }
}

TEST_CASE("Sessions: evidence that proves nothing settles no range") {
  ClaimingWorld world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello());
  agent.claims = claim(kCart);
  CHECK(agent.answer() == "trusted");
  world.clock.advance(30s);
  world.sessions.tick();
  agent.claims = claim(kWeb);
  agent.answer_out_of_place(Bytes{1, 2, 3});  // and all of the log is asked for
  CHECK(agent.answer() == "trusted");
  node.run_file_of("/bin/new", "new", kRange);
  CHECK(agent.next_answer() == "compromised");
}

TEST_CASE("Sessions: another stream has to claim anew") {
  ClaimingWorld world;
  EnrolledNode node(world);
  {
    Agent agent(world, node);
    REQUIRE(agent.hello());
    agent.claims = claim(kCart);
    CHECK(agent.answer() == "trusted");
  }
  Agent agent(world, node);
  REQUIRE(agent.hello());
  node.run_file_of("/bin/new", "new", kRange);
  CHECK(agent.answer() == "compromised");
}

TEST_CASE("Sessions: a node's claim is its own alone") {
  ClaimingWorld world;
  EnrolledNode other(world, "n2");
  Agent claiming(world, other);
  REQUIRE(claiming.hello());
  claiming.claims = claim(kCart);
  other.run_file_of("/bin/new", "new", kRange);
  CHECK(claiming.answer() == "compromised");  // the pod is on n1
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello());
  node.run_file_of("/bin/new", "new", kRange);
  CHECK(agent.answer() == "compromised");
}

TEST_CASE("Sessions: claims that are wrong are counted, and cost no verdict") {
  ClaimingWorld world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello());
  agent.claims = PodClaims{.pods = {{kWeb, {'x'}}, claim(kCart).pods[0]}};
  node.run_file_of("/bin/new", "new", kRange);
  CHECK(agent.answer() == "trusted");
  const std::scoped_lock lock(world.attempts.mutex);
  CHECK(world.attempts.rejections == std::vector{FaultId::kEvidenceMalformed});
}

TEST_CASE("Sessions: history has the names of pods by their ranges, too") {
  ClaimingWorld world;
  const GoldenSet set{.name = "cart", .source = "rootfs", .files = {file("/bin/cart", "cart")}};
  REQUIRE(world.store.push_golden({.set = set, .digest = digest_of("cart set"), .by = "test"},
                                  world.clock.now()));
  REQUIRE(world.golden.refresh(world.store, world.clock.now()));
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello());
  node.run_file_of("/bin/cart", "cart", kRange);
  agent.claims = claim(kCart);
  CHECK(agent.answer() == "trusted");
  const auto runs = world.store.golden_runs({"cart"});
  REQUIRE(runs);
  REQUIRE(runs->pods.size() == 1);
  CHECK(runs->pods[0].name == "shop/cart");
  CHECK(runs->pods[0].label.text() == "131072-196607");
}

TEST_CASE("Sessions: pod claims count against what the verifier holds") {
  SessionSettings settings;
  settings.max_buffered_bytes = 1000;
  World world(settings);
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello());
  const auto [id, challenge] = agent.link.challenges().back();
  REQUIRE(world.sessions.on_quote(agent.stream, id, node.quote(challenge)));
  const Status got = world.sessions.on_pod_claims(agent.stream, id, {.pods = {{"a", Bytes(1000)}}});
  REQUIRE_FALSE(got);
  CHECK(got.error().id == FaultId::kUnavailable);
}
