// Making golden sets of what dpkg has installed, for `assay golden build --dpkg`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/golden_build.h"
#include "golden/dpkg/dpkg.h"

namespace assay {

// What to do about a file that is no configuration file and not the one its package came with.
enum class ChangedFiles : std::uint8_t { kRefuse, kTake };

// Of the files of every package that is installed under `dir`. `hashes` as build_set_from_tree() has
// them. Says on standard error, one line each, how many files are missing, were changed or could not
// be checked. Fails as build_from_dpkg(), and with
// kGoldenMalformed for a file that `changed` refuses, by name and package.
Result<BuiltSet> build_set_from_dpkg(const std::string& name, const std::string& dir,
                                     const std::vector<std::string>& hashes, ChangedFiles changed);

}  // namespace assay
