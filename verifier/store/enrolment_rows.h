// Rows of `enrolment_requests` and `join_tokens`, and who may become a node. Callers hold a
// transaction where they write.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "verifier/store/node_rows.h"
#include "verifier/store/sqlite.h"
#include "verifier/store/store.h"

namespace assay {

// What becomes of a TPM: the node that it is now, or nothing when it has to wait for approval.
struct AdmissionOutcome {
  std::optional<NodeRecord> node = {};
  std::optional<NodeBefore> replaced = {};  // the node whose keys it took the place of
};

// By an operator's hand; Store::enrol_node().
Result<AdmissionOutcome> write_enrolment(Database& database, std::string_view name,
                                         const AkPublic& ak, Instant now);
// By rule; Store::admit().
Result<AdmissionOutcome> write_admission(Database& database, const AdmissionRequest& request,
                                         Instant now);
Result<AdmissionOutcome> write_approval(Database& database, std::string_view name,
                                        const std::optional<Digest>& ek, Instant now);

Result<std::vector<EnrolmentRequest>> read_requests(Database& database);  // the oldest first
// Gives how many there were.
Result<std::uint64_t> delete_requests(Database& database, std::string_view name,
                                      const std::optional<Digest>& ek);

Status insert_join_token(Database& database, const JoinTokenRecord& token, const Digest& hash);
Result<std::vector<JoinTokenRecord>> read_join_tokens(Database& database);  // by name
Status delete_join_token(Database& database, std::string_view name);        // kNotFound

}  // namespace assay
