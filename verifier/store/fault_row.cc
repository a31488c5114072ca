#include "verifier/store/fault_row.h"

namespace assay {

Result<Fault> take_fault(const Database& database, Statement& row) {
  const std::optional<FaultId> id = fault_by_name(row.take<std::string>());
  if (!id) return database.malformed("a fault");
  Fault fault{.id = *id, .entry = row.take_optional<std::uint64_t>()};
  fault.path = as_text(row.take<Bytes>());
  if (const auto digest = row.take_optional<std::string>()) {
    fault.digest = parse_digest(*digest);
    if (!fault.digest) return database.malformed("a digest");
  }
  fault.detail = row.take<std::string>();
  if (row.take_optional<std::int64_t>()) fault.severity = Severity::kWarning;
  return fault;
}

std::optional<std::int64_t> lowered_severity(const Fault& fault) {
  if (fault.severity == Severity::kWarning) return 1;
  return std::nullopt;
}

}  // namespace assay
