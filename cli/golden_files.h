// Golden sets that are named on a command line.
#pragma once

#include <string>
#include <vector>

#include "core/golden_set.h"
#include "core/result.h"
#include "golden/set_file.h"

namespace assay {

struct SetFile {
  Bytes bytes;
  GoldenSet set;
};

// A set file, checked as the verifier checks it. Fails with kFileUnreadable, kGoldenTooLarge, and as
// parse_golden_set(), by file; of a signed envelope it says that it is one.
Result<SetFile> load_set_file(const std::string& path);

// A set file, or an envelope with one, as the verifier takes it. Fails as load_set_file().
Result<Bytes> load_pushed_file(const std::string& path);

// All sets of these files together. Fails as load_set_file().
Result<GoldenSnapshot> load_golden(const std::vector<std::string>& paths);

}  // namespace assay
