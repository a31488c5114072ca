// The row of a node in `node_boots`.
#pragma once

#include "verifier/store/sqlite.h"
#include "verifier/store/store.h"

namespace assay {

Status write_boot(Database& database, NodeId node, const BootRecord& boot);
Result<BootRecord> read_boot(Database& database, NodeId node);  // kNotFound

}  // namespace assay
