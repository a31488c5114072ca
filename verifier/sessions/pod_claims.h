// What an agent says of the user ids of its node's pods. No TPM signs it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/attribution/uid_ranges.h"
#include "core/bytes.h"
#include "core/result.h"

namespace assay {

inline constexpr std::size_t kMaxClaimedPods = 1024;
inline constexpr std::size_t kMaxPodUidBytes = 36;
inline constexpr std::size_t kMaxPodClaimsBytes = std::size_t{256} << 10;  // UIDs and mappings

// As it came: nothing in it has been checked.
struct PodClaims {
  struct Pod {
    std::string uid;
    Bytes mapping;  // the kubelet's file
  };
  std::vector<Pod> pods;
  bool incomplete = false;  // the node has more than fit
};

// The bytes of all UIDs and mappings.
std::size_t size_of(const PodClaims& claims);

// Fails with kEvidenceTooLarge over one of the limits above, or that of a mapping.
Status check_limits(const PodClaims& claims);

// Gives `ranges` the pods whose UID and mapping can be read. Returns the first thing that is wrong with the
// others or with all: as parse_uid_mapping() and UidRanges::learn() say, kEvidenceMalformed for a UID that
// is none, and kEvidenceTooLarge for claims that are incomplete. Pure.
std::optional<Fault> learn(const PodClaims& claims, UidRanges& ranges);

}  // namespace assay
