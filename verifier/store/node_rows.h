// Rows of `nodes` and `node_faults`. Callers hold a transaction where they write.
#pragma once

#include <span>

#include "verifier/store/sqlite.h"
#include "verifier/store/store.h"

namespace assay {

// The keys of a node, and where they come from.
struct NodeKeys {
  const AkPublic& ak;
  const NodeOrigin& origin;
};

Status insert_node(Database& database, std::string_view name, const NodeKeys& keys, Instant now);

// Gives a node other keys: its history begins anew, as unknown.
Status replace_keys(Database& database, NodeId node, const NodeKeys& keys, Instant now);
Status write_re_enrol_until(Database& database, NodeId node, Instant until);

Result<std::vector<NodeRecord>> read_nodes(Database& database);  // by name
Result<NodeRecord> read_node(Database& database, std::string_view name);
Result<NodeRecord> read_node_by_ak(Database& database, const Digest& fingerprint);
Result<NodeRecord> read_node_by_ek(Database& database, const Digest& ek_id);

// What a transaction has to know of a node before it changes it.
struct NodeBefore {
  NodeId id{};
  std::string name;
  NodeState state{};
  std::uint64_t boot = 0;
  std::uint64_t faults_total = 0;
};
Result<NodeBefore> read_node_before(Database& database, NodeId node);  // kNotFound

Status write_standing(Database& database, NodeId node, const Standing& standing);
Status begin_boot(Database& database, NodeId node);  // the next boot, with a fresh checkpoint
Status write_checkpoint(Database& database, NodeId node, const LogCheckpoint& checkpoint);
Result<PcrValues> read_boot_pcrs(Database& database, NodeId node);
Status write_boot_pcrs(Database& database, NodeId node, const PcrValues& pcrs);
Status write_clock(Database& database, NodeId node, const TpmClock& clock);
Status write_verdict(Database& database, const AttemptRecord& attempt);
Status write_rejection(Database& database, NodeId node, const Fault& why, Instant at);

}  // namespace assay
