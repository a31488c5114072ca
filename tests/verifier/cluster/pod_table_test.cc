#include "verifier/cluster/pod_table.h"

#include <doctest/doctest.h>

#include "tests/verifier/cluster/pod_json.h"

using namespace assay;
using namespace assay::testing;
using namespace std::chrono_literals;

namespace {

using Kind = PodEvent::Kind;

constexpr Instant kNow{1'700'000'000s};

void list(PodTable& table, std::initializer_list<std::size_t> pods, Instant now = kNow) {
  table.begin_list();
  for (const std::size_t pod : pods) table.add(pod_record(pod));
  table.finish_list(now);
}

bool has(PodTable& table, std::size_t pod, Instant now = kNow) {
  return table.snapshot(now)->find(uid_label(pod), "node-a") != nullptr;
}

PodRecord mirror(std::size_t number, const PodLabel& of, const std::string& node = "node-a") {
  PodRecord out = pod_record(number, node);
  out.facts.is_mirror = true;
  out.static_uid = of;
  return out;
}

const PodFacts* find(const std::shared_ptr<const ClusterSnapshot>& in, const PodLabel& label,
                     const std::string& node = "node-a") {
  return in->find(label, node);
}

}  // namespace

TEST_CASE("PodTable: a list's pods are found by UID and node") {
  PodTable table;
  CHECK(table.snapshot(kNow)->size() == 0);
  list(table, {1, 2});
  const auto got = table.snapshot(kNow);
  CHECK(got->size() == 2);
  REQUIRE(find(got, uid_label(1)) != nullptr);
  CHECK(*find(got, uid_label(1)) == PodFacts{"shop", "web-1", "node-a"});
  CHECK(find(got, uid_label(1), "node-b") == nullptr);
  CHECK(find(got, uid_label(3)) == nullptr);
}

TEST_CASE("PodTable: what a new list does not have is gone, and kept for an hour") {
  PodTable table;
  list(table, {1, 2});
  list(table, {2, 3});
  CHECK(table.counts() == PodCounts{.pods = 2, .gone = 1});
  CHECK(table.forgets_at() == kNow + kKeepGone);
  CHECK(has(table, 1, kNow + kKeepGone - 1ms));
  CHECK_FALSE(has(table, 1, kNow + kKeepGone));
  CHECK(has(table, 2, kNow + kKeepGone));
  CHECK(table.counts() == PodCounts{.pods = 2});
  CHECK_FALSE(table.forgets_at());
}

TEST_CASE("PodTable: a list that breaks off takes nothing away") {
  PodTable table;
  list(table, {1, 2});
  table.begin_list();
  table.add(pod_record(3));
  CHECK(table.counts() == PodCounts{.pods = 3});
  list(table, {1, 3});
  CHECK(table.counts() == PodCounts{.pods = 2, .gone = 1});
}

TEST_CASE("PodTable: a pod that is gone is known as such") {
  PodTable table;
  list(table, {1, 2});
  list(table, {2});
  const auto got = table.snapshot(kNow);
  CHECK(find(got, uid_label(1))->is_gone);
  CHECK_FALSE(find(got, uid_label(2))->is_gone);
  list(table, {1, 2});
  CHECK_FALSE(find(table.snapshot(kNow), uid_label(1))->is_gone);
}

TEST_CASE("PodTable: images are to be kept once the pod is on a node, and once") {
  const auto with = [](std::uint8_t image, const std::string& node = "node-a") {
    PodRecord out = pod_record(1, node);
    out.images = {{image_digest(image), ImageSource::kSpec}};
    return out;
  };
  PodTable table;
  table.add(with(1, ""));
  CHECK(table.unkept(9).empty());
  table.add(with(1));
  const auto placed = table.unkept(9);
  REQUIRE(placed.size() == 1);
  CHECK(placed[0].pod == uid_label(1));
  CHECK(placed[0].node == "node-a");
  CHECK(placed[0].name == "shop/web-1");
  CHECK(placed[0].images == with(1).images);
  CHECK(table.unkept(9).size() == 1);  // until it is
  table.kept(placed);
  CHECK(table.unkept(9).empty());
  table.add(with(1));
  table.apply(pod_event(Kind::kModified, with(1)), kNow);
  CHECK(table.unkept(9).empty());

  table.apply(pod_event(Kind::kModified, with(2)), kNow);
  const auto changed = table.unkept(9);
  CHECK(changed.size() == 1);
  table.apply(pod_event(Kind::kModified, with(3)), kNow);
  table.kept(changed);  // not what has come since
  REQUIRE(table.unkept(9).size() == 1);
  CHECK(table.unkept(9)[0].images == with(3).images);
  table.apply(pod_event(Kind::kModified, with(4)), kNow);
  table.apply(pod_event(Kind::kDeleted, pod_record(1)), kNow);
  CHECK(table.unkept(9)[0].images == std::vector<PodImage>{with(3).images[0], with(4).images[0]});
}

TEST_CASE(
    "PodTable: a mirror pod's images are its node's word, whatever its annotations say later") {
  PodTable table;
  const auto with = [](PodRecord pod, std::uint8_t image) {
    pod.images = {{image_digest(image), ImageSource::kSpec}};
    return pod;
  };
  table.add(with(mirror(1, PodLabel::pod(kStaticUid).value()), 1));
  table.apply(pod_event(Kind::kModified, with(pod_record(1), 2)), kNow);
  REQUIRE(table.unkept(9).size() == 1);
  CHECK(table.unkept(9)[0].images ==
        std::vector<PodImage>{{image_digest(1), ImageSource::kStatus},
                              {image_digest(2), ImageSource::kStatus}});
}

TEST_CASE("PodTable: what one pod has to be kept has a bound") {
  PodTable table;
  for (std::size_t i = 0; i <= kMaxPodImages; ++i) {
    PodRecord pod = pod_record(1);
    pod.images = {{hash(HashAlg::kSha256, as_bytes(uid_text(i))), ImageSource::kStatus}};
    table.add(std::move(pod));
  }
  REQUIRE(table.unkept(9).size() == 1);
  CHECK(table.unkept(9)[0].images.size() == kMaxPodImages);
}

TEST_CASE("PodTable: what has to be kept comes in parts, and not of pods that are forgotten") {
  PodTable table;
  for (std::size_t i = 1; i <= 3; ++i) {
    PodRecord pod = pod_record(i);
    pod.images = {{image_digest(1), ImageSource::kStatus}};
    table.add(std::move(pod));
  }
  CHECK(table.unkept(2).size() == 2);
  table.kept(table.unkept(2));
  CHECK(table.unkept(2).size() == 1);
  CHECK(table.unkept(2)[0].pod == uid_label(3));
  list(table, {1});
  CHECK(table.unkept(9).size() == 1);
  table.snapshot(kNow + kKeepGone);
  CHECK(table.unkept(9).empty());
}

TEST_CASE("PodTable: a mirror pod stays a claim, whatever its annotations say later") {
  PodTable table;
  list(table, {1});
  table.apply(pod_event(Kind::kAdded, mirror(2, PodLabel::pod(kStaticUid).value())), kNow);
  const auto snapshot = table.snapshot(kNow);
  CHECK_FALSE(find(snapshot, uid_label(1))->is_mirror);
  CHECK(find(snapshot, uid_label(2))->is_mirror);
  CHECK(find(snapshot, PodLabel::pod(kStaticUid).value())->is_mirror);
  table.apply(pod_event(Kind::kModified, pod_record(2)), kNow);
  CHECK(find(table.snapshot(kNow), uid_label(2))->is_mirror);
}

TEST_CASE("PodTable: events add, change and take away") {
  PodTable table;
  list(table, {1});
  table.snapshot(kNow);
  table.apply(pod_event(Kind::kAdded, pod_record(2)), kNow);
  CHECK(table.changed());
  CHECK(has(table, 2));
  CHECK_FALSE(table.changed());

  table.apply(pod_event(Kind::kModified, pod_record(2)), kNow);
  CHECK_FALSE(table.changed());  // of what is kept
  PodRecord renamed = pod_record(2);
  renamed.facts.name = "other";
  table.apply(pod_event(Kind::kModified, renamed), kNow);
  CHECK(table.changed());
  CHECK(find(table.snapshot(kNow), uid_label(2))->name == "other");
  renamed.facts.has_own_users = true;
  table.apply(pod_event(Kind::kModified, renamed), kNow);
  CHECK(find(table.snapshot(kNow), uid_label(2))->has_own_users);

  table.apply(pod_event(Kind::kDeleted, pod_record(1)), kNow);
  CHECK(table.changed());
  CHECK(table.counts() == PodCounts{.pods = 1, .gone = 1});
  table.apply(pod_event(Kind::kDeleted, pod_record(1)), kNow + 1min);
  CHECK(table.forgets_at() == kNow + kKeepGone);  // not longer because it is said again
  CHECK(has(table, 1));
  table.apply({.kind = Kind::kBookmark, .pod = {}, .resource_version = "9"}, kNow);
  table.apply({.kind = Kind::kAdded, .pod = {}, .resource_version = "9"}, kNow);
  CHECK(table.counts() == PodCounts{.pods = 1, .gone = 1, .skipped = 1});
}

TEST_CASE("PodTable: a pod that nobody saw alive is kept, and one that comes back is there") {
  PodTable table;
  list(table, {});
  table.apply(pod_event(Kind::kDeleted, pod_record(1)), kNow);
  CHECK(table.counts() == PodCounts{.gone = 1});
  CHECK(has(table, 1));
  list(table, {1});
  CHECK(table.counts() == PodCounts{.pods = 1});
  CHECK(has(table, 1, kNow + 2 * kKeepGone));
}

TEST_CASE("PodTable: of pods that are gone the oldest are forgotten first") {
  PodTable table;
  for (std::size_t pod = 0; pod <= kMaxGonePods; ++pod) {
    table.apply(pod_event(Kind::kDeleted, pod_record(pod)),
                kNow + std::chrono::milliseconds(kMaxGonePods - pod));
  }
  CHECK(table.counts() == PodCounts{.gone = kMaxGonePods});
  CHECK(has(table, 0));
  CHECK_FALSE(has(table, kMaxGonePods));  // the last to be told of, and the first that was gone
}

TEST_CASE("PodTable: a list that takes away more than is kept leaves the rest whole") {
  PodTable table;
  table.apply(pod_event(Kind::kDeleted, pod_record(kMaxGonePods + 1)), kNow - 1min);
  table.begin_list();
  for (std::size_t pod = 0; pod <= kMaxGonePods; ++pod) table.add(pod_record(pod));
  table.finish_list(kNow);
  list(table, {0});
  CHECK(table.counts() == PodCounts{.pods = 1, .gone = kMaxGonePods});
  CHECK_FALSE(has(table, kMaxGonePods + 1));
  CHECK(has(table, 0));
}

TEST_CASE(
    "PodTable: pods beyond the limit are refused and counted, and those that are known are not") {
  PodTable table;
  table.begin_list();
  for (std::size_t pod = 0; pod < kMaxPods; ++pod) table.add(pod_record(pod));
  table.add(pod_record(kMaxPods));
  table.add(pod_record(0));
  table.finish_list(kNow);
  table.apply(pod_event(Kind::kDeleted, pod_record(kMaxPods)), kNow);
  CHECK(table.counts() == PodCounts{.pods = kMaxPods, .refused = 2});
  table.apply(pod_event(Kind::kDeleted, pod_record(0)), kNow);
  table.apply(pod_event(Kind::kAdded, pod_record(kMaxPods)), kNow);
  CHECK(table.counts() == PodCounts{.pods = kMaxPods, .gone = 1, .refused = 2});
}

TEST_CASE("PodTable: a pod's node stays what it was first") {
  PodTable table;
  table.begin_list();
  table.add(pod_record(1, ""));
  table.finish_list(kNow);
  CHECK(find(table.snapshot(kNow), uid_label(1), "node-a") == nullptr);
  table.apply(pod_event(Kind::kModified, pod_record(1, "node-a")), kNow);
  CHECK(table.counts().moved == 0);
  PodRecord moved = pod_record(1, "node-b");
  moved.facts.name = "other";
  table.apply(pod_event(Kind::kModified, moved), kNow);
  table.apply(pod_event(Kind::kModified, pod_record(1, "")), kNow);
  CHECK(table.counts().moved == 2);
  CHECK(find(table.snapshot(kNow), uid_label(1), "node-b") == nullptr);
  CHECK(find(table.snapshot(kNow), uid_label(1), "node-a") != nullptr);
  table.apply(pod_event(Kind::kDeleted, moved), kNow);
  CHECK(table.counts().moved == 3);
  CHECK(find(table.snapshot(kNow), uid_label(1), "node-a") != nullptr);
}

TEST_CASE("PodTable: a mirror pod is found by its static pod's UID and by its own") {
  const PodLabel of = PodLabel::pod(kStaticUid).value();
  PodTable table;
  table.apply(pod_event(Kind::kAdded, mirror(1, of)), kNow);
  const auto got = table.snapshot(kNow);
  REQUIRE(find(got, of) != nullptr);
  CHECK(find(got, of)->name == "web-1");
  CHECK(find(got, uid_label(1)) != nullptr);
  CHECK(find(got, of, "node-b") == nullptr);
}

TEST_CASE("PodTable: a mirror pod takes no label that another pod has") {
  PodTable table;
  // Before it, after it, and of one that is gone.
  table.apply(pod_event(Kind::kAdded, mirror(9, uid_label(1), "node-b")), kNow);
  table.apply(pod_event(Kind::kAdded, pod_record(1)), kNow);
  table.apply(pod_event(Kind::kAdded, mirror(8, uid_label(1), "node-b")), kNow);
  CHECK(find(table.snapshot(kNow), uid_label(1), "node-a") != nullptr);
  table.apply(pod_event(Kind::kDeleted, pod_record(1)), kNow);
  CHECK(find(table.snapshot(kNow), uid_label(1), "node-a") != nullptr);
  CHECK(find(table.snapshot(kNow), uid_label(1), "node-b") == nullptr);
}

TEST_CASE("PodTable: of two mirror pods with one label the first counts, as long as it is there") {
  const PodLabel of = PodLabel::pod(kStaticUid).value();
  PodTable table;
  table.apply(pod_event(Kind::kAdded, mirror(5, of, "node-a")), kNow);
  table.apply(pod_event(Kind::kAdded, mirror(4, of, "node-b")), kNow);
  CHECK(find(table.snapshot(kNow), of, "node-a") != nullptr);
  table.apply(pod_event(Kind::kDeleted, mirror(5, of, "node-a")), kNow);
  CHECK(find(table.snapshot(kNow), of, "node-b") != nullptr);
}

TEST_CASE("PodTable: a pod becomes no mirror pod later, nor another one's") {
  const PodLabel of = PodLabel::pod(kStaticUid).value();
  PodTable table;
  list(table, {1});
  table.apply(pod_event(Kind::kModified, mirror(1, of)), kNow);
  CHECK(find(table.snapshot(kNow), of) == nullptr);
}
