// Rows of `node_golden_groups`, `node_golden_signers` and `pod_golden_uses`: which golden files each node, and
// each pod, was seen to run.
// Callers hold a transaction where they write.
#pragma once

#include "verifier/store/golden.h"
#include "verifier/store/sqlite.h"
#include "verifier/store/store.h"

namespace assay {

// What a proven log has shown, in the node's present boot. Groups that were forgotten meanwhile are left out.
Status write_golden_use(Database& database, NodeId node, const GoldenUse& use, Instant now);

// Nodes and pods that ran files of a set; the surest first.
Result<GoldenRuns> read_golden_runs(Database& database, const GoldenId& id);

}  // namespace assay
