// What the TPM keeps in NV. For the .cc files of this room.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/tpm/connection.h"
#include "core/bytes.h"

namespace assay::agent {

inline constexpr std::size_t kMaxNvBytes = 8192;  // of one index

// The content of an index that can be read without a secret; nothing when it is not there, was never
// written, or may not be read. Fails with kTpmFailed for one over kMaxNvBytes, and as check().
Result<std::optional<Bytes>> read_nv(const Connection& tpm, std::uint32_t index);

// The indices that are there from `first` to `last`, ascending.
Result<std::vector<std::uint32_t>> list_nv(const Connection& tpm, std::uint32_t first,
                                           std::uint32_t last);

}  // namespace assay::agent
