// The six columns of a fault: fault, entry, path, digest, detail, warns. In this order everywhere.
#pragma once

#include "core/fault.h"
#include "verifier/store/sqlite.h"

namespace assay {

// Reads them from `row`. Fails with kStoreFailed for a fault or digest that has no such name.
Result<Fault> take_fault(const Database& database, Statement& row);

// `warns`: 1 where a policy lets the fault only warn, else NULL.
std::optional<std::int64_t> lowered_severity(const Fault& fault);

}  // namespace assay
