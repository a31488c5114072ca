#include "verifier/store/golden_use_rows.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"
#include "tests/support/signing.h"
#include "tests/verifier/store/golden_case.h"

namespace assay {
namespace {

using testing::digest;
using testing::fault_of;
using testing::kNow;
using testing::later;
using testing::push_of;
using testing::set_of;
using testing::SigningKey;
using testing::StoreCase;

GoldenFile file_in_layer(std::uint8_t layer, std::uint8_t content) {
  return {.path = "/bin/" + std::to_string(content), .digests = {digest(content)}, .layer = layer};
}

// An image of layer 1, which all of them have, and one of its own.
GoldenSet image(const std::string& name, std::uint8_t own) {
  GoldenSet set{.name = name, .source = "oci", .files = {}};
  set.image = GoldenImage{.names = {}, .digests = {}, .layers = {digest(1), digest(own)}};
  set.files = {file_in_layer(0, 1), file_in_layer(1, own)};
  return set;
}

Digest digest_number(std::uint64_t number) {
  return hash(HashAlg::kSha256, as_bytes(std::to_string(number)));
}

struct Case : StoreCase {
  // What counts has these groups: the one of a file with this content.
  GoldenGroupId group_of(std::uint8_t content) {
    const auto sets = store->golden_in_force(kNow);
    REQUIRE(sets);
    for (const GoldenInForce& set : *sets) {
      for (const GoldenGroupId group : set.groups) {
        if (*store->golden_group_digests(group) == std::vector{digest(content)}) return group;
      }
    }
    FAIL("no group");
    return {};
  }

  void run(GoldenUse use, Instant now) {
    AttemptRecord seen = attempt(NodeState::kTrusted);
    seen.at = now;
    seen.golden = std::move(use);
    REQUIRE(store->commit(seen));
  }

  GoldenRuns runs(const GoldenId& id) {
    auto got = store->golden_runs(id);
    REQUIRE(got);
    return *std::move(got);
  }
};

TEST_CASE("golden_runs: a node is known by what only the set has, or by what others have too") {
  Case c;
  REQUIRE(c.store->push_golden(push_of(image("a", 2), 8), kNow));
  REQUIRE(c.store->push_golden(push_of(image("b", 3), 9), kNow));
  CHECK(c.runs({"a"}).total == 0);
  c.run({.groups = {{c.group_of(1), true}}}, later(1));
  for (const char* name : {"a", "b"}) {
    const GoldenRuns runs = c.runs({name});
    REQUIRE(runs.nodes.size() == 1);
    CHECK_FALSE(runs.nodes[0].own);
    CHECK(runs.nodes[0].node == c.node().name);
    CHECK(runs.nodes[0].state == NodeState::kTrusted);
  }
  c.run({.groups = {{c.group_of(2), true}}}, later(2));
  c.reopen();
  const GoldenRuns runs = c.runs({"a"});
  REQUIRE(runs.nodes.size() == 1);
  CHECK(runs.total == 1);
  CHECK(runs.nodes[0].own);
  CHECK(runs.nodes[0].first_seen == later(1));
  CHECK_FALSE(c.runs({"b"}).nodes[0].own);
  CHECK(c.runs({"a", 1}).nodes.size() == 1);
  CHECK(fault_of(c.store->golden_runs({"a", 2})) == FaultId::kNotFound);
  CHECK(fault_of(c.store->golden_runs({"c"})) == FaultId::kNotFound);
}

TEST_CASE("golden_runs: a file that was in other groups too is no proof of the set's own") {
  Case c;
  REQUIRE(c.store->push_golden(push_of(image("a", 2), 8), kNow));
  c.run({.groups = {{c.group_of(2), false}}}, later(1));
  CHECK_FALSE(c.runs({"a"}).nodes[0].own);
  c.run({.groups = {{c.group_of(2), true}}}, later(2));
  c.run({.groups = {{c.group_of(2), false}}}, later(3));
  CHECK(c.runs({"a"}).nodes[0].own);
  AttemptRecord reboot = c.attempt(NodeState::kTrusted);
  reboot.rebooted = true;
  reboot.golden = {.groups = {{c.group_of(2), false}}};
  REQUIRE(c.store->commit(reboot));
  CHECK(c.runs({"a"}).nodes[0].own);
}

TEST_CASE("golden_runs: an earlier boot counts, and is told from this one") {
  Case c;
  REQUIRE(c.store->push_golden(push_of(image("a", 2), 8), kNow));
  const GoldenUse use{.groups = {{c.group_of(2), true}}};
  c.run(use, later(1));
  CHECK(c.runs({"a"}).nodes[0].this_boot);
  AttemptRecord reboot = c.attempt(NodeState::kTrusted);
  reboot.rebooted = true;
  REQUIRE(c.store->commit(reboot));
  CHECK_FALSE(c.runs({"a"}).nodes[0].this_boot);
  c.run(use, later(3));
  CHECK(c.runs({"a"}).nodes[0].this_boot);
  CHECK(c.runs({"a"}).nodes[0].first_seen == later(1));
}

TEST_CASE("golden_runs: what was revoked stays known, and so does each generation's own") {
  Case c;
  REQUIRE(c.store->push_golden(push_of(image("a", 2), 8), kNow));
  c.run({.groups = {{c.group_of(2), true}}}, later(1));
  REQUIRE(c.store->push_golden(push_of(image("a", 3), 9), later(2)));
  REQUIRE(c.store->revoke_golden({"a", 1}, {.by = "operator", .at = later(3)}, "bad"));
  CHECK(c.runs({"a", 1}).nodes.size() == 1);
  CHECK(c.runs({"a", 1}).nodes[0].own);
  CHECK(c.runs({"a", 2}).nodes.empty());
  CHECK(c.runs({"a"}).nodes.size() == 1);
}

TEST_CASE("golden_runs: a key's files are its set's own") {
  Case c;
  GoldenSet set{.name = "signed", .source = "signers", .files = {}};
  const SigningKey key = SigningKey::ecdsa();
  set.signers.push_back({"key", key.signer()});
  REQUIRE(c.store->push_golden(push_of(set, 8), kNow));
  CHECK(c.runs({"signed"}).total == 0);
  c.run({.signers = {key.signer().encoded()}}, later(1));
  c.run({.signers = {key.signer().encoded()}}, later(2));
  const GoldenRuns runs = c.runs({"signed"});
  REQUIRE(runs.nodes.size() == 1);
  CHECK(runs.nodes[0].own);
  CHECK(runs.nodes[0].this_boot);
  CHECK(runs.nodes[0].first_seen == later(1));
}

TEST_CASE("golden_runs: pods that ran it are known by their labels, over boots and restarts") {
  Case c;
  REQUIRE(c.store->push_golden(push_of(image("a", 2), 8), kNow));
  REQUIRE(c.store->push_golden(push_of(image("b", 3), 9), kNow));
  const PodLabel pod = *PodLabel::pod("0fd1c1a3-2b4c-4d5e-8f60-718293a4b5c6");
  const PodLabel range = *PodLabel::uid_range(131072);
  const GoldenUse::Group base{c.group_of(1), true};
  const GoldenUse::Group own{c.group_of(2), true};
  c.run({.groups = {base}}, later(1));
  CHECK(c.runs({"a"}).pods.empty());
  c.run({.groups = {base, own},
         .pods = {{.label = pod, .groups = {base, own}}, {.label = range, .groups = {base}}}},
        later(2));
  c.run({.pods = {{.label = pod, .name = "shop/cart-1", .groups = {own}}}}, later(3));
  c.run({.pods = {{.label = pod, .groups = {base}}}}, later(4));  // a name stays
  c.reopen();
  const GoldenRuns runs = c.runs({"a"});
  CHECK(runs.nodes[0].pods_complete);
  CHECK(runs.pods_total == 2);
  REQUIRE(runs.pods.size() == 2);
  CHECK(runs.pods[0].node == c.node().name);
  CHECK(runs.pods[0].label == pod);
  CHECK(runs.pods[0].name == "shop/cart-1");
  CHECK(runs.pods[0].first_seen == later(2));
  CHECK(runs.pods[0].own);
  CHECK(runs.pods[0].this_boot);
  CHECK(runs.pods[1].label == range);
  CHECK(runs.pods[1].name.empty());
  CHECK_FALSE(runs.pods[1].own);
  const GoldenRuns of_b = c.runs({"b"});
  REQUIRE(of_b.pods.size() == 2);
  CHECK_FALSE(of_b.pods[0].own);

  AttemptRecord reboot = c.attempt(NodeState::kTrusted);
  reboot.rebooted = true;
  reboot.golden = {.pods = {{.label = range, .groups = {own}}}};
  REQUIRE(c.store->commit(reboot));
  const GoldenRuns after = c.runs({"a", 1});
  REQUIRE(after.pods.size() == 2);
  CHECK(after.pods[0].label == range);
  CHECK(after.pods[0].this_boot);
  CHECK(after.pods[0].own);
  CHECK_FALSE(after.pods[1].this_boot);
}

TEST_CASE("golden_runs: a range of user ids that several pods had has the name of none") {
  Case c;
  REQUIRE(c.store->push_golden(push_of(image("a", 2), 8), kNow));
  const PodLabel range = *PodLabel::uid_range(131072);
  const GoldenUse::Group base{c.group_of(1), true};
  const GoldenUse::Group own{c.group_of(2), true};
  const auto name_after = [&](const std::string& name, const GoldenUse::Group& group) {
    c.run({.pods = {{.label = range, .name = name, .groups = {group}}}}, later(1));
    const GoldenRuns runs = c.runs({"a"});
    REQUIRE(runs.pods.size() == 1);
    return runs.pods[0].name;
  };
  CHECK(name_after("", base).empty());
  CHECK(name_after("shop/cart", base) == "shop/cart");
  CHECK(name_after("", base) == "shop/cart");
  CHECK(name_after("shop/cart", base) == "shop/cart");
  CHECK(name_after("shop/web", own) == "(several)");  // of another layer
  CHECK(name_after("shop/web", base) == "(several)");
  CHECK(name_after("shop/web", base) == "(several)");
  CHECK(name_after("shop/cart", own) == "(several)");
}

TEST_CASE("golden_runs: a pod that ran what a key signed is known, too") {
  Case c;
  GoldenSet set{.name = "signed", .source = "signers", .files = {}};
  const SigningKey key = SigningKey::ecdsa();
  set.signers.push_back({"key", key.signer()});
  REQUIRE(c.store->push_golden(push_of(set, 8), kNow));
  const PodLabel range = *PodLabel::uid_range(131072);
  const Bytes encoded = key.signer().encoded();
  for (const int second : {1, 2}) {
    c.run({.signers = {encoded}, .pods = {{.label = range, .signers = {encoded}}}}, later(second));
  }
  const GoldenRuns runs = c.runs({"signed"});
  REQUIRE(runs.pods.size() == 1);
  CHECK(runs.pods[0].label == range);
  CHECK(runs.pods[0].own);
  CHECK(runs.pods[0].first_seen == later(1));
}

TEST_CASE("golden_runs: of a node with too many pods the oldest are forgotten, which is told") {
  Case c;
  REQUIRE(c.store->push_golden(push_of(image("a", 2), 8), kNow));
  const GoldenUse::Group own{c.group_of(2), true};
  const auto range = [](std::uint64_t number) {
    return *PodLabel::pod(to_hex(digest_number(number).bytes().first(16)));
  };
  GoldenUse use{.groups = {own}};
  for (std::uint64_t i = 0; i < kMaxPodUses; ++i) {
    use.pods.push_back({.label = range(i), .groups = {own}});
  }
  c.run(use, later(1));
  CHECK(c.runs({"a"}).nodes[0].pods_complete);
  CHECK(c.runs({"a"}).pods_total == kMaxPodUses);
  CHECK(c.runs({"a"}).pods.size() == kMaxGoldenRuns);
  c.run({.pods = {{.label = range(kMaxPodUses), .groups = {own}}}}, later(2));
  const GoldenRuns runs = c.runs({"a"});
  CHECK_FALSE(runs.nodes[0].pods_complete);
  CHECK(runs.pods_total == kMaxPodUses);
  CHECK(testing::count(c, "pod_golden_uses WHERE label = '" + range(0).text() + "'") == 0);
  CHECK(testing::count(c, "pod_golden_uses WHERE label = '" + range(kMaxPodUses).text() + "'") ==
        1);
}

TEST_CASE("golden_runs: that an appraisal could not tell all pods is kept") {
  Case c;
  REQUIRE(c.store->push_golden(push_of(image("a", 2), 8), kNow));
  c.run({.groups = {{c.group_of(2), true}}, .pods_complete = false}, later(1));
  c.run({.groups = {{c.group_of(2), true}}}, later(2));
  CHECK_FALSE(c.runs({"a"}).nodes[0].pods_complete);
}

TEST_CASE("commit: a group that was forgotten while evidence was judged is left out") {
  Case c;
  const GoldenUse::Group gone{GoldenGroupId{77}, true};
  c.run({.groups = {gone}, .pods = {{.label = *PodLabel::uid_range(65536), .groups = {gone}}}},
        later(1));
  CHECK(testing::count(c, "node_golden_groups") == 0);
  CHECK(testing::count(c, "pod_golden_uses") == 0);
}

}  // namespace
}  // namespace assay
