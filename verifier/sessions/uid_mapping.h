// The user ids of a pod, as the kubelet keeps them in pods/<UID>/userns.
#pragma once

#include "core/attribution/uid_ranges.h"
#include "core/bytes.h"
#include "core/result.h"

namespace assay {

inline constexpr std::size_t kMaxUidMappingBytes = 4096;

// Reads untrusted JSON: an object with `uidMappings` and `gidMappings`, both with the same one mapping, of
// which `containerId` is 0, and `hostId` and `length` are as UidMapping::from() takes them. Nothing else may
// be in it.
// Fails with kEvidenceTooLarge over kMaxUidMappingBytes, and kEvidenceMalformed for anything else. Pure.
//
// Kubernetes pkg/kubelet/userns/userns_manager.go, userNamespace.
Result<UidMapping> parse_uid_mapping(ByteView json);

}  // namespace assay
