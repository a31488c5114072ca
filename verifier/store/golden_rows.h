// Rows of `golden_sets`, `golden_files` and `golden_signers`. Callers hold a transaction where they write.
#pragma once

#include "verifier/store/sqlite.h"
#include "verifier/store/store.h"

namespace assay {

Result<GoldenPush> write_golden_set(Database& database, const GoldenSet& set, const Digest& digest,
                                    Instant now);
Result<std::vector<GoldenRecord>> read_golden_sets(Database& database);  // by name
Result<GoldenRecord> read_golden_set(Database& database, std::string_view name);

struct FileRange {
  std::uint64_t offset;
  std::uint32_t limit;
};
Result<std::vector<GoldenFile>> read_golden_files(Database& database, std::string_view name,
                                                  FileRange range);
Result<std::vector<GoldenSigner>> read_golden_signers(Database& database, std::string_view name);
Result<GoldenSnapshot> read_golden_snapshot(Database& database);

}  // namespace assay
