// Rows of `audit`, which are only ever added to, and of `push_tokens`.
#pragma once

#include "verifier/store/golden.h"
#include "verifier/store/sqlite.h"

namespace assay {

// `record.id` is given by the table.
Status write_audit(Database& database, const AuditRecord& record);
Result<std::vector<AuditRecord>> read_audit(Database& database, std::int64_t before_id,
                                            std::uint32_t limit);  // newest first

Status insert_push_token(Database& database, const PushTokenRecord& token, const Digest& hash);
Result<std::vector<PushTokenRecord>> read_push_tokens(Database& database);  // by name
Status delete_push_token(Database& database, std::string_view name);
// The token of this hash, used at `now`: kTokenUnknown, kTokenExpired.
Result<PushTokenRecord> use_push_token(Database& database, const Digest& hash, Instant now);

}  // namespace assay
