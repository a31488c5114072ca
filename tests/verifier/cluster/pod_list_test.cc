#include "verifier/cluster/pod_list.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"
#include "tests/verifier/cluster/pod_json.h"

using namespace assay;
using namespace assay::testing;

namespace {

// A list as an API server of 1.29 writes it, with what there is of no use to us.
constexpr std::string_view kRealList = R"({
  "kind": "PodList",
  "apiVersion": "v1",
  "metadata": {"resourceVersion": "48213", "continue": "eyJ2IjoibWV0YS5rOHMuaW8vdjEi", "remainingItemCount": 7},
  "items": [
    {
      "metadata": {
        "name": "web-7d4b9c6f5-x2x8k",
        "generateName": "web-7d4b9c6f5-",
        "namespace": "shop",
        "uid": "0fd1c1a3-52a8-4d7e-9c11-0b5f6f1f9e57",
        "resourceVersion": "48100",
        "creationTimestamp": "2026-03-01T10:00:00Z",
        "labels": {"app": "web", "uid": "not-this-one"},
        "annotations": {"prometheus.io/scrape": "true"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d4b9c6f5",
          "uid": "11111111-2222-4333-8444-555555555555", "controller": true, "blockOwnerDeletion": true}],
        "managedFields": [{"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1",
          "time": "2026-03-01T10:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {
            "f:labels": {".": {}, "f:app": {}}, "f:ownerReferences": {".": {}, "k:{\"uid\":\"x\"}": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}, "f:name": {}}}}}}]
      },
      "spec": {
        "volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken":
          {"expirationSeconds": 3607, "path": "token"}}], "defaultMode": 420}}],
        "containers": [{"name": "web", "image": "registry.example/shop/web@sha256:00", "resources": {},
          "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]}],
        "nodeName": "node-a.example",
        "priority": 0, "enableServiceLinks": true, "hostUsers": false
      },
      "status": {"phase": "Running", "nodeName": "node-b", "hostIP": "10.0.0.4", "podIP": "10.1.0.9",
        "containerStatuses": [{"name": "web", "ready": true, "restartCount": 0, "lastState": {}}]}
    },
    {
      "metadata": {"name": "waiting", "namespace": "batch", "uid": "0fd1c1a3-52a8-4d7e-9c11-0b5f6f1f9e58"},
      "spec": {"containers": [], "nodeName": null},
      "status": {"phase": "Pending"}
    },
    {
      "metadata": {
        "name": "etcd-node-a.example", "namespace": "kube-system",
        "uid": "0fd1c1a3-52a8-4d7e-9c11-0b5f6f1f9e59",
        "annotations": {"kubernetes.io/config.hash": "4a1b0c9d8e7f60514233241506f7e8d9",
          "kubernetes.io/config.mirror": "4a1b0c9d8e7f60514233241506f7e8d9",
          "kubernetes.io/config.seen": "2026-03-01T09:59:00Z", "kubernetes.io/config.source": "file"}
      },
      "spec": {"nodeName": "node-a.example", "hostNetwork": true},
      "status": {}
    }
  ]
})";

Result<PodList> parse(const std::string& text) {
  return parse_pod_list(as_bytes(text));
}

Result<PodEvent> parse_event(const std::string& text) {
  return parse_watch_event(as_bytes(text));
}

// What one pod in a list becomes; nothing: it was skipped.
std::optional<PodRecord> parse_one(const PodText& pod) {
  const auto got = parse(list_json({pod_json(pod)}, "1"));
  REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
  REQUIRE(got->pods.size() + got->skipped == 1);
  return got->pods.empty() ? std::nullopt : std::optional(got->pods.front());
}

std::string nested(std::size_t depth) {
  return R"({"x":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + '}';
}

}  // namespace

TEST_CASE("parse_pod_list: a page gives its pods' metadata and node") {
  const auto got = parse(std::string(kRealList));
  REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
  CHECK(got->resource_version == "48213");
  CHECK(got->continue_token == "eyJ2IjoibWV0YS5rOHMuaW8vdjEi");
  CHECK(got->skipped == 0);
  REQUIRE(got->pods.size() == 3);
  const PodRecord& web = got->pods[0];
  CHECK(web.uid == PodLabel::pod("0fd1c1a3-52a8-4d7e-9c11-0b5f6f1f9e57"));
  CHECK(web.facts == PodFacts{.name_space = "shop",
                              .name = "web-7d4b9c6f5-x2x8k",
                              .node = "node-a.example",
                              .has_own_users = true});
  CHECK_FALSE(web.facts.is_mirror);
  CHECK_FALSE(web.static_uid);
  CHECK(got->pods[1].facts == PodFacts{"batch", "waiting", ""});
  const PodRecord& etcd = got->pods[2];
  CHECK(etcd.uid == PodLabel::pod("0fd1c1a3-52a8-4d7e-9c11-0b5f6f1f9e59"));
  CHECK(etcd.facts.is_mirror);
  CHECK(etcd.static_uid == PodLabel::pod(kStaticUid));
}

TEST_CASE("parse_pod_list: every proper prefix of a list is refused") {
  for (std::size_t size = 0; size < kRealList.size(); ++size) {
    CAPTURE(size);
    CHECK(fault_of(parse(std::string(kRealList.substr(0, size)))) == FaultId::kClusterMalformed);
  }
}

TEST_CASE("parse_pod_list: a list of no pods is one") {
  const std::string head =
      R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"})";
  for (const std::string& tail :
       std::vector<std::string>{"}", R"(,"items":null})", R"(,"items":[]})"}) {
    CAPTURE(tail);
    const auto got = parse(head + tail);
    REQUIRE(got.has_value());
    CHECK(got->pods.empty());
    CHECK(got->continue_token.empty());
  }
}

TEST_CASE("parse_pod_list: a mirror pod's label is a valid UID or none") {
  const auto annotated = [](const std::string& annotations) {
    return parse_one({.annotations = annotations});
  };
  const std::string other(32, 'a');
  struct Row {
    std::string annotations;
    bool is_mirror;
    std::optional<PodLabel> want;
  };
  const Row rows[] = {
      {R"({"kubernetes.io/config.mirror":")" + kStaticUid + "\"}", true, PodLabel::pod(kStaticUid)},
      {R"({"kubernetes.io/config.mirror":")" + kStaticUid + R"(","kubernetes.io/config.hash":")" +
           other + "\"}",
       true, PodLabel::pod(kStaticUid)},
      {R"({"kubernetes.io/config.mirror":"mirror","kubernetes.io/config.hash":")" + other + "\"}",
       true, PodLabel::pod(other)},
      {R"({"kubernetes.io/config.mirror":"../x"})", true, std::nullopt},
      {R"({"kubernetes.io/config.mirror":""})", true, std::nullopt},
      // Nobody takes a pod for a static one because of its hash alone.
      {R"({"kubernetes.io/config.hash":")" + kStaticUid + "\"}", false, std::nullopt},
      {R"({"kubernetes.io/config.mirror":null})", false, std::nullopt},
      {"null", false, std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.annotations);
    const auto got = annotated(row.annotations);
    REQUIRE(got.has_value());
    CHECK(got->facts.is_mirror == row.is_mirror);
    CHECK(got->static_uid == row.want);
    CHECK(got->uid == uid_label(1));
  }
}

TEST_CASE("parse_pod_list: images are told by digest, and whose word that is") {
  const auto at = [](std::uint8_t number) { return "web@" + format_digest(image_digest(number)); };
  const PodText pod{
      .spec = R"(,"initContainers":[{"image":")" + at(3) + R"("}],"containers":[{"image":")" +
              at(2) + R"("},{"image":"web:1.2"},{"name":"none"},{"image":")" + at(2) +
              R"("}],"ephemeralContainers":[{"image":")" + at(1) +
              R"("}],"volumes":[{"name":"v","image":{"reference":")" + at(4) +
              R"("}},{"name":"w","emptyDir":{}}])",
      .status = R"(,"containerStatuses":[{"image":")" + at(9) + R"(","imageID":")" + at(2) +
                R"("},{"imageID":")" + at(5) + R"("},{"imageID":""}],"initContainerStatuses":[)" +
                R"({"imageID":"docker-pullable://)" + at(6) +
                R"("}],"ephemeralContainerStatuses":[{"imageID":")" +
                format_digest(image_digest(7)) + R"("}])"};
  const auto spec = ImageSource::kSpec;
  const auto status = ImageSource::kStatus;
  const auto got = parse_one(pod);
  REQUIRE(got.has_value());
  CHECK(got->images == std::vector<PodImage>{{image_digest(1), spec},
                                             {image_digest(2), spec},
                                             {image_digest(3), spec},
                                             {image_digest(4), spec},
                                             {image_digest(5), status},
                                             {image_digest(6), status},
                                             {image_digest(7), status}});
}

TEST_CASE("parse_pod_list: each pod has its own images, and a bounded number of them") {
  std::string many;
  for (std::size_t i = 0; i <= kMaxPodImages; ++i) {
    many += (i == 0 ? "" : ",") +
            (R"({"image":"web@)" + format_digest(hash(HashAlg::kSha256, as_bytes(uid_text(i)))) +
             "\"}");
  }
  const auto got = parse(list_json(
      {pod_json({.uid = uid_text(1), .spec = R"(,"containers":[)" + many + "]"}),
       pod_json({.uid = uid_text(2), .spec = with_image(image_digest(1))}),
       pod_json({.uid = uid_text(3)}), pod_json({.uid = "", .spec = with_image(image_digest(2))}),
       pod_json({.uid = uid_text(4), .status = with_image_id(image_digest(3))})},
      "1"));
  REQUIRE(got.has_value());
  REQUIRE(got->pods.size() == 4);
  CHECK(got->pods[0].images.size() == kMaxPodImages);
  CHECK(got->pods[1].images == std::vector<PodImage>{{image_digest(1), ImageSource::kSpec}});
  CHECK(got->pods[2].images.empty());
  CHECK(got->pods[3].images == std::vector<PodImage>{{image_digest(3), ImageSource::kStatus}});
}

TEST_CASE("parse_pod_list: containers of another form are refused") {
  for (const std::string& spec : std::vector<std::string>{
           R"(,"containers":{})", R"(,"containers":[{"image":1}])",
           R"(,"containers":[{"image":"a","image":"b"}])", R"(,"initContainers":{"x":1})",
           R"(,"volumes":[{"image":{"reference":[]}}])"}) {
    CAPTURE(spec);
    CHECK(fault_of(parse(list_json({pod_json({.spec = spec})}, "1"))) ==
          FaultId::kClusterMalformed);
  }
  CHECK(parse_one({.spec = R"(,"containers":null,"volumes":[null,1,"x",[{}]])"}).has_value());
}

TEST_CASE(
    "parse_pod_list: a pod has user ids of its own when its spec says so, and nothing else does") {
  const auto spec = [](const std::string& members) { return parse_one({.spec = members}); };
  CHECK(spec(R"(,"hostUsers":false)")->facts.has_own_users);
  for (const std::string& members : std::vector<std::string>{
           "", R"(,"hostUsers":true)", R"(,"hostUsers":null)",
           R"(,"securityContext":{"hostUsers":false})", R"(,"containers":[{"hostUsers":false}])"}) {
    CAPTURE(members);
    CHECK_FALSE(spec(members)->facts.has_own_users);
  }
  const auto outside = parse_one({.annotations = R"({"hostUsers":"false"},"hostUsers":false)"});
  CHECK_FALSE(outside->facts.has_own_users);
  // Each pod's own: one says nothing of the next.
  const auto both = parse(list_json(
      {pod_json({.spec = R"(,"hostUsers":false)"}), pod_json({.uid = uid_text(2)})}, "1"));
  REQUIRE(both->pods.size() == 2);
  CHECK(both->pods[0].facts.has_own_users);
  CHECK_FALSE(both->pods[1].facts.has_own_users);
}

TEST_CASE("parse_pod_list: a pod with hostile names is skipped and counted, and no other") {
  const PodText rows[] = {
      {.uid = ""},
      {.uid = "0fd1c1a3"},
      {.uid = "0FD1C1A3-52A8-4D7E-9C11-0B5F6F1F9E57"},
      {.uid = std::string(100'000, 'a')},
      {.name_space = ""},
      {.name_space = std::string(64, 'a')},
      {.name_space = "a/b"},
      {.name = ""},
      {.name = std::string(254, 'a')},
      {.name = R"(web\n2026 all is well)"},
      {.name = R"(\u001b[31m)"},
      {.name = "Web"},
      {.name = "wéb"},
      {.node = std::string(254, 'a')},
      {.node = "node a"},
      {.node = R"(\u0000)"},
  };
  const std::string good = pod_json({.uid = uid_text(2)});
  for (const PodText& row : rows) {
    const std::string bad = pod_json(row);
    CAPTURE(bad.substr(0, 400));
    const auto got = parse(list_json({bad, good, R"({"metadata":5})", "{}"}, "1"));
    REQUIRE(got.has_value());
    CHECK(got->skipped == 3);
    REQUIRE(got->pods.size() == 1);
    CHECK(got->pods[0].uid == uid_label(2));
    CHECK(got->pods[0].facts == PodFacts{"shop", "web", "node-a"});
  }
  const auto longest = parse_one({.name_space = std::string(63, 'a'),
                                  .name = std::string(253, 'b'),
                                  .node = std::string(253, 'c')});
  CHECK(longest.has_value());
}

TEST_CASE("parse_pod_list: what is no list of pods is refused") {
  const std::string version = R"("metadata":{"resourceVersion":"1"})";
  const std::string head = R"({"kind":"PodList","apiVersion":"v1",)";
  const std::string long_text(kMaxListTokenBytes + 1, '1');
  struct Row {
    std::string name;
    std::string text;
  };
  const Row rows[] = {
      {"nothing", ""},
      {"a page of a proxy", "<html>"},
      {"null", "null"},
      {"a number", "5"},
      {"a text", R"("PodList")"},
      {"an array", "[" + list_json({}, "1") + "]"},
      {"another kind", R"({"kind":"NodeList","apiVersion":"v1",)" + version + "}"},
      {"another version", R"({"kind":"PodList","apiVersion":"v2",)" + version + "}"},
      {"a Status", R"({"kind":"Status","apiVersion":"v1","code":410})"},
      {"no version to watch from", head + R"("items":[]})"},
      {"an empty one", list_json({}, "")},
      {"a number for it", head + R"("metadata":{"resourceVersion":1}})"},
      {"an object for it", head + R"("metadata":{"resourceVersion":{}}})"},
      {"one that is too long", list_json({}, long_text)},
      {"a token that is too long", list_json({}, "1", long_text)},
      {"items that are no list", head + version + R"(,"items":{}})"},
      {"an item that is a text", head + version + R"(,"items":["x"]})"},
      {"an item that is null", head + version + R"(,"items":[null]})"},
      {"an item that is a number", head + version + R"(,"items":[1]})"},
      {"an item that is a list", head + version + R"(,"items":[[]]})"},
      {"a kind that stands twice", head + R"("kind":"PodList",)" + version + "}"},
      {"a UID that stands twice",
       list_json({R"({"metadata":{"uid":")" + uid_text(1) + R"(","uid":")" + uid_text(2) + "\"}}"},
                 "1")},
      {"a UID that is a number", list_json({R"({"metadata":{"uid":1}})"}, "1")},
      {"hostUsers that is a text", list_json({R"({"spec":{"hostUsers":"false"}})"}, "1")},
      {"hostUsers that is a number", list_json({R"({"spec":{"hostUsers":0}})"}, "1")},
      {"hostUsers that is a list", list_json({R"({"spec":{"hostUsers":[false]}})"}, "1")},
      {"hostUsers that stands twice",
       list_json({R"({"spec":{"hostUsers":true,"hostUsers":false}})"}, "1")},
      {"a node name that is false", list_json({R"({"spec":{"nodeName":false}})"}, "1")},
      {"bytes behind it", list_json({}, "1") + "x"},
      {"a second list behind it", list_json({}, "1") + list_json({}, "2")},
      {"a NUL behind it", list_json({}, "1") + std::string(1, '\0') + "x"},
      {"no UTF-8", list_json({R"({"x":")"
                              "\xff"
                              R"("})"},
                             "1")},
      {"a number beyond all", list_json({R"({"x":1e999})"}, "1")},
      {"too deep", nested(kMaxPodJsonDepth + 1)},
      {"far too deep", std::string(1'000'000, '[')},
      {"far too deep, in what is skipped", R"({"x":)" + std::string(1'000'000, '[')},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(fault_of(parse(row.text)) == FaultId::kClusterMalformed);
  }
  CHECK(parse(nested(kMaxPodJsonDepth + 1)).error().detail == "JSON that is nested too deep");
  CHECK(parse(nested(kMaxPodJsonDepth)).error().detail == "not a v1/PodList");
}

TEST_CASE("parse_pod_list: a page over the limit is refused, and one at it is not") {
  const std::string list = list_json({pod_json({})}, "1");
  CHECK(parse(list + std::string(kMaxPodPageBytes - list.size(), ' ')).has_value());
  const auto got = parse(list + std::string(kMaxPodPageBytes - list.size() + 1, ' '));
  CHECK(fault_of(got) == FaultId::kClusterMalformed);
}

TEST_CASE("parse_watch_event: each type gives its pod, and where to go on") {
  using Kind = PodEvent::Kind;
  const std::pair<std::string, Kind> types[] = {
      {"ADDED", Kind::kAdded}, {"MODIFIED", Kind::kModified}, {"DELETED", Kind::kDeleted}};
  for (const auto& [type, kind] : types) {
    CAPTURE(type);
    const auto got = parse_event(event_json(type, pod_json({.version = "101"})));
    REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
    CHECK(got->kind == kind);
    CHECK(got->resource_version == "101");
    REQUIRE(got->pod.has_value());
    CHECK(got->pod->uid == uid_label(1));
    CHECK(got->pod->facts == PodFacts{"shop", "web", "node-a"});
    CHECK_FALSE(skips_pod(*got));
  }
  const auto bookmark = parse_event(
      R"({"object":{"metadata":{"resourceVersion":"102","creationTimestamp":null},"spec":{"containers":null},)"
      R"("status":{},"apiVersion":"v1","kind":"Pod"},"type":"BOOKMARK"})");
  REQUIRE(bookmark.has_value());
  CHECK(bookmark->kind == Kind::kBookmark);
  CHECK(bookmark->resource_version == "102");
  CHECK_FALSE(bookmark->pod);
  CHECK_FALSE(skips_pod(*bookmark));
  const auto error = parse_event(error_json(410));
  REQUIRE(error.has_value());
  CHECK(error->kind == Kind::kError);
  CHECK(error->status == 410);
}

TEST_CASE("parse_watch_event: a pod with a hostile name is skipped, and the version counts") {
  const auto got = parse_event(event_json("ADDED", pod_json({.name = "../x", .version = "9"})));
  REQUIRE(got.has_value());
  CHECK(skips_pod(*got));
  CHECK(got->resource_version == "9");
}

TEST_CASE("parse_watch_event: what is no event is refused") {
  struct Row {
    std::string name;
    std::string text;
  };
  const Row rows[] = {
      {"nothing", ""},
      {"no object", R"({"type":"ADDED"})"},
      {"an unknown type", event_json("REPLACED", pod_json({}))},
      {"no type", R"({"object":)" + pod_json({}) + "}"},
      {"a pod as error", event_json("ERROR", pod_json({}))},
      {"an error as pod", event_json("ADDED", R"({"kind":"Status","apiVersion":"v1","code":410})")},
      {"an error without a code", event_json("ERROR", R"({"kind":"Status","apiVersion":"v1"})")},
      {"a code below zero",
       event_json("ERROR", R"({"kind":"Status","apiVersion":"v1","code":-410})")},
      {"a code that is a text",
       event_json("ERROR", R"({"kind":"Status","apiVersion":"v1","code":"410"})")},
      {"a code beyond all",
       event_json("ERROR", R"({"kind":"Status","apiVersion":"v1","code":18446744073709551615})")},
      {"no version", event_json("BOOKMARK", R"({"kind":"Pod","apiVersion":"v1","metadata":{}})")},
      {"two events", event_json("ADDED", pod_json({})) + event_json("ADDED", pod_json({}))},
      {"over the limit", event_json("ADDED", pod_json({})) + std::string(kMaxPodEventBytes, ' ')},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(fault_of(parse_event(row.text)) == FaultId::kClusterMalformed);
  }
  const std::string whole = event_json("MODIFIED", pod_json({}));
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(fault_of(parse_event(whole.substr(0, size))) == FaultId::kClusterMalformed);
  }
}
