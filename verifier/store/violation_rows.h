// Rows of `violations`. Callers hold a transaction where they write.
#pragma once

#include "verifier/store/node_rows.h"

namespace assay {

struct NewViolations {
  std::vector<ViolationRecord> listed;
  std::uint64_t unlisted = 0;  // counted in the node's row; they have none of their own
};
// Writes the attempt's faults as open violations of the node's present boot, but not those that are
// open already. Unlisted are those over kMaxOpenViolations, and faults that a verdict only counts.
Result<NewViolations> insert_violations(Database& database, const NodeBefore& node,
                                        const AttemptRecord& attempt);

struct Closing {
  ViolationStatus status;
  std::string_view reason;
  Instant at;
};
// Closes all open violations of a node and gives how many they were, counted ones included.
Result<std::uint64_t> close_violations(Database& database, NodeId node, const Closing& closing);

Result<std::vector<ViolationRecord>> read_violations(Database& database,
                                                     const Store::ViolationQuery& query);
Result<ViolationRecord> read_violation(Database& database, ViolationId id);
Result<std::vector<std::pair<std::string, std::uint64_t>>> count_open_by_fault(Database& database);

}  // namespace assay
