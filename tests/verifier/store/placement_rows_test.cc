#include "verifier/store/placement_rows.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"
#include "tests/verifier/store/golden_case.h"

namespace assay {
namespace {

using testing::count;
using testing::digest;
using testing::fault_of;
using testing::kNow;
using testing::later;
using testing::push_of;
using testing::set_of;
using testing::StoreCase;

constexpr ImageSource kSpec = ImageSource::kSpec;
constexpr ImageSource kStatus = ImageSource::kStatus;

PodLabel uid(std::uint64_t number) {
  const Digest name = hash(HashAlg::kSha256, as_bytes(std::to_string(number)));
  return *PodLabel::pod(to_hex(name.bytes().first(16)));
}

// A set of an image with these digests.
GoldenSet image(const std::string& name, std::vector<Digest> digests) {
  GoldenSet set = set_of(name, {1});
  set.image = GoldenImage{.names = {}, .digests = std::move(digests), .layers = {}};
  return set;
}

PodPlacement placed(std::uint64_t pod, std::vector<PodImage> images,
                    const std::string& node = "worker") {
  return {.pod = uid(pod), .node = node, .name = "shop/web", .images = std::move(images)};
}

struct Case : StoreCase {
  void add(const PodPlacement& pod, Instant now) { REQUIRE(store->add_placements({{pod}}, now)); }
  GoldenPlacements of(const GoldenId& id) {
    auto got = store->golden_placements(id);
    REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
    return *std::move(got);
  }
};

}  // namespace

TEST_CASE("golden_placements: a pod is found by each digest of its image, over restarts") {
  Case c;
  REQUIRE(c.store->push_golden(push_of(image("a", {digest(10), digest(11)}), 8), kNow));
  REQUIRE(c.store->push_golden(push_of(image("b", {digest(20)}), 9), kNow));
  REQUIRE(c.store->push_golden(push_of(set_of("none", {2}), 7), kNow));
  c.add(placed(1, {{digest(11), kSpec}, {digest(30), kSpec}}), later(1));
  c.add(placed(1, {{digest(10), kStatus}, {digest(11), kSpec}}), later(2));
  c.add(placed(2, {{digest(10), kStatus}}, "other"), later(3));
  c.reopen();
  const GoldenPlacements got = c.of({"a"});
  CHECK(got.total == 2);
  CHECK(got.incomplete.empty());
  REQUIRE(got.listed.size() == 2);
  CHECK(got.listed[0].pod == uid(1));
  CHECK(got.listed[0].node == "worker");
  CHECK(got.listed[0].name == "shop/web");
  CHECK(got.listed[0].source == kSpec);
  CHECK(got.listed[0].first_seen == later(1));
  CHECK(got.listed[1].pod == uid(2));
  CHECK(got.listed[1].node == "other");
  CHECK(got.listed[1].source == kStatus);
  CHECK(c.of({"b"}).total == 0);
  CHECK(c.of({"none"}).total == 0);
  CHECK(fault_of(c.store->golden_placements({"c"})) == FaultId::kNotFound);
}

TEST_CASE("golden_placements: what a pod had before its set was pushed counts, too") {
  Case c;
  c.add(placed(1, {{digest(10), kSpec}}), later(1));
  REQUIRE(c.store->push_golden(push_of(image("a", {digest(10)}), 8), later(2)));
  CHECK(c.of({"a"}).total == 1);
}

TEST_CASE("golden_placements: each generation has its own, and a revoked one keeps them") {
  Case c;
  REQUIRE(c.store->push_golden(push_of(image("a", {digest(10)}), 8), kNow));
  REQUIRE(c.store->push_golden(push_of(image("a", {digest(20)}), 9), kNow));
  c.add(placed(1, {{digest(10), kSpec}}), later(1));
  c.add(placed(2, {{digest(20), kSpec}}), later(1));
  REQUIRE(c.store->revoke_golden({"a", 1}, {.by = "operator", .at = later(2)}, "leaks"));
  CHECK(c.of({"a"}).total == 2);
  const GoldenPlacements first = c.of({"a", 1});
  REQUIRE(first.listed.size() == 1);
  CHECK(first.listed[0].pod == uid(1));
  CHECK(c.of({"a", 2}).listed[0].pod == uid(2));
}

TEST_CASE(
    "golden_placements: the control plane's word takes the place of a node's, not the reverse") {
  Case c;
  REQUIRE(c.store->push_golden(push_of(image("a", {digest(10)}), 8), kNow));
  c.add(placed(1, {{digest(10), kStatus}}), later(1));
  CHECK(c.of({"a"}).listed[0].source == kStatus);
  c.add(placed(1, {{digest(10), kSpec}}), later(2));
  c.add(placed(1, {{digest(10), kStatus}}), later(3));
  const GoldenPlacements got = c.of({"a"});
  REQUIRE(got.listed.size() == 1);
  CHECK(got.listed[0].source == kSpec);
  CHECK(got.listed[0].first_seen == later(1));
}

TEST_CASE("add_placements: of a node with too many the oldest are forgotten, which is told") {
  Case c;
  REQUIRE(c.store->push_golden(push_of(image("a", {digest(10)}), 8), kNow));
  const auto many = [](std::uint64_t first, std::uint64_t end, ImageSource source) {
    std::vector<PodPlacement> out;
    for (std::uint64_t i = first; i < end; ++i) out.push_back(placed(i, {{digest(10), source}}));
    return out;
  };
  c.add(placed(0, {{digest(10), kSpec}}, "other"), later(1));
  REQUIRE(c.store->add_placements(many(0, kMaxPlacements, kStatus), later(1)));
  CHECK(c.of({"a"}).total == kMaxPlacements + 1);
  CHECK(c.of({"a"}).listed.size() == kMaxGoldenRuns);
  CHECK(c.of({"a"}).incomplete.empty());
  // A node's own word takes no room of the control plane's, nor of another node.
  c.add(placed(kMaxPlacements, {{digest(10), kSpec}}), later(2));
  CHECK(c.of({"a"}).incomplete.empty());
  c.add(placed(kMaxPlacements + 1, {{digest(10), kStatus}}), later(3));
  const GoldenPlacements got = c.of({"a"});
  CHECK(got.total == kMaxPlacements + 2);
  CHECK(got.incomplete == std::vector<std::string>{"worker"});
  const auto rows = [&c](std::uint64_t pod, const std::string& node) {
    return count(c, "pod_images WHERE pod = '" + uid(pod).text() + "' AND node = '" + node + "'");
  };
  CHECK(rows(0, "worker") == 0);
  CHECK(rows(0, "other") == 1);
  CHECK(rows(1, "worker") == 1);
  CHECK(rows(kMaxPlacements, "worker") == 1);
}

TEST_CASE("add_placements: all of a call, or nothing") {
  Case c;
  c.edit(
      "CREATE TRIGGER full BEFORE INSERT ON pod_images WHEN NEW.node = 'bad' "
      "BEGIN SELECT RAISE(ABORT, 'no room'); END");
  c.reopen();
  const std::vector<PodPlacement> pods = {placed(1, {{digest(10), kSpec}}),
                                          placed(2, {{digest(10), kSpec}}, "bad")};
  CHECK(fault_of(c.store->add_placements(pods, kNow)) == FaultId::kStoreFailed);
  CHECK(count(c, "pod_images") == 0);
}

}  // namespace assay
