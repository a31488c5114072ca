// Pods as the Kubernetes API writes them, and as they are kept.
#pragma once

#include <string>
#include <vector>

#include "verifier/cluster/pod_list.h"

namespace assay::testing {

// A UID of its own for each number.
inline std::string uid_text(std::size_t number) {
  std::string digits = std::to_string(number);
  return "00000000-0000-4000-8000-" + std::string(12 - digits.size(), '0') + digits;
}

inline PodLabel uid_label(std::size_t number) {
  return PodLabel::pod(uid_text(number)).value();
}

// What the kubelet makes of a static pod's manifest.
inline const std::string kStaticUid = "4a1b0c9d8e7f60514233241506f7e8d9";

struct PodText {
  std::string uid = uid_text(1);
  std::string name_space = "shop";
  std::string name = "web";
  std::string node = "node-a";
  std::string annotations = "{}";
  std::string version = "100";
  std::string spec = "";    // members of it, each with a comma before
  std::string status = "";  // likewise
};

inline Digest image_digest(std::uint8_t number) {
  return Digest::filled(HashAlg::kSha256, number);
}

// Members for PodText: a container, and what the kubelet says of one.
inline std::string with_image(const Digest& digest) {
  return R"(,"containers":[{"name":"c","image":"registry.example/web:1@)" + format_digest(digest) +
         "\"}]";
}
inline std::string with_image_id(const Digest& digest) {
  return R"(,"containerStatuses":[{"imageID":"registry.example/web@)" + format_digest(digest) +
         "\"}]";
}

inline std::string pod_json(const PodText& pod) {
  return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":")" + pod.name +
         R"(","namespace":")" + pod.name_space + R"(","uid":")" + pod.uid +
         R"(","resourceVersion":")" + pod.version + R"(","annotations":)" + pod.annotations +
         R"(},"spec":{"nodeName":")" + pod.node + "\"" + pod.spec +
         R"(},"status":{"phase":"Running")" + pod.status + "}}";
}

inline std::string list_json(const std::vector<std::string>& pods, const std::string& version,
                             const std::string& token = "") {
  std::string items;
  for (const std::string& pod : pods) items += (items.empty() ? "" : ",") + pod;
  return R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":")" + version +
         R"(","continue":")" + token + R"("},"items":[)" + items + "]}";
}

// One line.
inline std::string event_json(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

inline std::string error_json(int code) {
  return event_json("ERROR",
                    R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
                    R"("message":"too old resource version","reason":"Expired","code":)" +
                        std::to_string(code) + "}");
}

inline PodRecord pod_record(std::size_t number, const std::string& node = "node-a") {
  return {.uid = uid_label(number),
          .facts = {.name_space = "shop", .name = "web-" + std::to_string(number), .node = node}};
}

inline PodEvent pod_event(PodEvent::Kind kind, PodRecord pod, std::string version = "7") {
  return {.kind = kind, .pod = std::move(pod), .resource_version = std::move(version)};
}

}  // namespace assay::testing
