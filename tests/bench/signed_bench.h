// A log of signed files against the same log of unsigned ones.
#pragma once

#include <nlohmann/json.hpp>

#include "core/result.h"

namespace assay::bench {

// Both logs are replayed and judged, the unsigned one by digests, the signed one by a P-256 key whose
// signatures have all been seen before. "ratio" is signed entries a second over unsigned ones, of which
// "bare_digest_ratio" is what OpenSSL's digests alone leave, since signatures are hashed too.
// "same_log_ratio" is that of the signed log judged by its signatures and by its digests.
Result<nlohmann::ordered_json> signed_bench(std::uint64_t least_entries);

}  // namespace assay::bench
