// Rows of `pod_images`: which pods had which images, and on which node, over time.
// Callers hold a transaction where they write.
#pragma once

#include <span>

#include "core/attribution/pod_image.h"
#include "verifier/store/golden.h"
#include "verifier/store/sqlite.h"

namespace assay {

// Adds what is new of it. Of two words for an image of a pod the better one stays.
Status write_placements(Database& database, std::span<const PodPlacement> pods, Instant now);

// Pods that had an image of a set, by any digest that the set knows it by. kNotFound: no such set.
Result<GoldenPlacements> read_golden_placements(Database& database, const GoldenId& id);

}  // namespace assay
