// Pods as the Kubernetes API writes them: lists and the lines of a watch.
//
// Source: Kubernetes API reference, core/v1 Pod and PodList, meta/v1 WatchEvent and Status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/attribution/cluster_snapshot.h"
#include "core/attribution/pod_image.h"
#include "core/bytes.h"
#include "core/result.h"

namespace assay {

inline constexpr std::size_t kMaxPodPageBytes = std::size_t{8} << 20;
inline constexpr std::size_t kMaxPodEventBytes = std::size_t{2} << 20;
inline constexpr std::size_t kMaxPodJsonDepth = 64;
inline constexpr std::size_t kMaxListTokenBytes = 4096;  // resourceVersion and continue
// Of one pod, with spec and status; what is over it is left out. Nothing runs so many.
inline constexpr std::size_t kMaxPodImages = 256;

// What is kept of a pod: of its metadata and spec; and of its status, which the node writes, only images, which
// are said to be so.
struct PodRecord {
  PodLabel uid;  // of the API's object
  PodFacts
      facts;  // of a mirror pod claims: who holds a node's credentials can write one of any name
  // Of a mirror pod: the UID that the kubelet's cgroups have for it, when it is a valid one.
  std::optional<PodLabel> static_uid = {};
  std::vector<PodImage> images = {};  // ascending, each digest once; as the object has them
};

// One page.
struct PodList {
  std::vector<PodRecord> pods;
  std::size_t skipped = 0;       // pods without a UID, or with names that Kubernetes does not allow
  std::string resource_version;  // opaque; of the whole list
  std::string continue_token;    // opaque; empty on the last page
};

struct PodEvent {
  enum class Kind : std::uint8_t { kAdded, kModified, kDeleted, kBookmark, kError };

  Kind kind = Kind::kBookmark;
  std::optional<PodRecord> pod;  // of the first three, unless it had to be skipped
  std::string resource_version;  // opaque; where to go on; empty for an error
  std::uint32_t status = 0;      // of an error, as in HTTP; 410: the version is too old
};

// Whether a pod of that event had to be skipped.
bool skips_pod(const PodEvent& event);

// Both read untrusted JSON, and keep of it no more than they return. They fail with kClusterMalformed: over
// the size, not one JSON object in UTF-8, a NUL byte, nested deeper than kMaxPodJsonDepth, of another kind or
// version, a member that is kept twice or of another type, no resourceVersion, or one over
// kMaxListTokenBytes. Pure and total.
Result<PodList> parse_pod_list(ByteView json);      // at most kMaxPodPageBytes
Result<PodEvent> parse_watch_event(ByteView json);  // at most kMaxPodEventBytes

}  // namespace assay
