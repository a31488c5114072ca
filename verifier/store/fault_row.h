// The five columns of a fault: fault, entry, path, digest, detail. In this order everywhere.
#pragma once

#include "core/fault.h"
#include "verifier/store/sqlite.h"

namespace assay {

// Reads them from `row`. Fails with kStoreFailed for a fault or digest that has no such name.
Result<Fault> take_fault(const Database& database, Statement& row);

}  // namespace assay
