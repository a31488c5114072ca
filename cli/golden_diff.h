// What changed between two set files, for `assay golden diff`.
#pragma once

#include <string>

#include "cli/command.h"

namespace assay {

// Prints what changed from the set file `before` to the set file `after`: a line of counts and tables
// for people, or the object that docs/golden-sets.md describes. kOk when nothing did, kRefused when
// something did, kUsage for a file that is no set.
Exit diff_set_files(const std::string& before, const std::string& after, Format format);

}  // namespace assay
