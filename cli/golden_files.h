// Golden sets that are named on a command line.
#pragma once

#include <string>
#include <vector>

#include "core/golden_set.h"
#include "core/result.h"

namespace assay {

// All sets of these files together. Fails with kFileUnreadable, kGoldenTooLarge, and as
// parse_golden_set().
Result<GoldenSnapshot> load_golden(const std::vector<std::string>& paths);

}  // namespace assay
