// Rows of `golden_generations` and what hangs on them. Callers hold a transaction where they write; every
// change is in the audit.
#pragma once

#include "verifier/store/golden.h"
#include "verifier/store/golden_files_rows.h"
#include "verifier/store/sqlite.h"

namespace assay {

Result<GoldenPush> write_golden_set(Database& database, const GoldenPushRequest& request,
                                    Instant now);
Result<GoldenRecord> write_golden_approval(Database& database, const GoldenId& id,
                                           const GoldenActor& actor,
                                           std::chrono::milliseconds grace);
Result<std::vector<GoldenRecord>> write_golden_revocation(Database& database, const GoldenId& id,
                                                          const GoldenActor& actor,
                                                          std::string_view reason);

Result<std::vector<GoldenRecord>> read_golden_sets(Database& database);
Result<std::vector<GoldenRecord>> read_golden_history(Database& database, std::string_view name);
Result<GoldenRecord> read_golden_set(Database& database, const GoldenId& id);
Result<std::vector<GoldenFile>> read_golden_files(Database& database, const GoldenId& id,
                                                  FileRange range);
Result<std::vector<GoldenSigner>> read_golden_signers(Database& database, const GoldenId& id);
Result<std::vector<GoldenInForce>> read_golden_in_force(Database& database, Instant now);

}  // namespace assay
