// Where a digest comes from: files of golden sets, whatever has become of those.
#pragma once

#include "verifier/store/golden.h"
#include "verifier/store/sqlite.h"

namespace assay {

// Every group of files. Ids only: a group may be gone when it is asked for.
Result<std::vector<GoldenGroupId>> read_groups(Database& database);

// Adds the files of a group that have the digest, each once for every set that it is in. A look at all of the
// group's digests, and at its files where one of them may be it.
Status add_origins(Database& database, GoldenGroupId group, const Digest& digest,
                   GoldenOrigins& out);

}  // namespace assay
