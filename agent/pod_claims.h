// Which user ids the kubelet has given to which pod, as bytes. Nothing here knows what they mean.
#pragma once

#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"

namespace assay::agent {

inline constexpr std::size_t kMaxClaimedPods = 1024;
inline constexpr std::size_t kMaxMappingBytes = 4096;
inline constexpr std::size_t kMaxPodClaimsBytes = std::size_t{256} << 10;  // UIDs and mappings

struct PodClaim {
  std::string pod_uid;  // at most 36 bytes
  Bytes mapping;        // at most kMaxMappingBytes
  friend bool operator==(const PodClaim&, const PodClaim&) = default;
};

struct PodClaims {
  std::vector<PodClaim> pods;  // ascending by UID, each once
  bool incomplete = false;     // there are more than the limits above let through
  friend bool operator==(const PodClaims&, const PodClaims&) = default;
};

struct PodFolders {
  PodClaims claims;
  std::size_t unreadable = 0;  // pods whose file is there and cannot be used
};

// Reads UID/userns for each pod in `folder`, the kubelet's. Pods that have no such file are left out, and
// whatever is not named as a pod's UID is. Below `folder` no symbolic link is followed, and nothing but
// regular files is read.
// Fails with kFileUnreadable for the folder itself.
//
// Kubernetes pkg/kubelet/userns/userns_manager.go: the file is replaced as a whole.
Result<PodFolders> read_pod_claims(const std::string& folder);

}  // namespace assay::agent
