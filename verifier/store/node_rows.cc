#include "verifier/store/node_rows.h"

#include "core/text.h"
#include "verifier/store/fault_row.h"

namespace assay {
namespace {

constexpr std::string_view kVerdict = "verdict";
constexpr std::string_view kRejection = "rejection";

constexpr std::string_view kSelectNodes =
    "SELECT id, name, ak_public, ak_fingerprint, enrolled_at, state, state_since, last_verified, "
    "has_open_violations, boot, log_entries, log_bytes, log_pcrs, log_policy, "
    "log_last_record, clock_ms, "
    "clock_resets, "
    "clock_restarts, clock_safe, clock_firmware, faults_total, rejected_at, "
    "unlisted_violations + (SELECT count(*) FROM violations v WHERE v.node_id = nodes.id AND "
    "v.status = 'open'), ek_id, manufacturer, admitted_by, re_enrol_until, boot_pcrs FROM nodes ";

std::int64_t raw(NodeId node) {
  return static_cast<std::int64_t>(node);
}

// "10=sha256:<hex> 11=sha256:<hex>": a value's algorithm is its bank.
std::string format_pcrs(const PcrValues& pcrs) {
  std::string out;
  for (const auto& [slot, value] : pcrs) {
    if (!out.empty()) out.push_back(' ');
    out += std::to_string(slot.index.value()) + '=' + format_digest(value);
  }
  return out;
}

std::optional<PcrIndex> parse_pcr_index(std::string_view text) {
  for (std::uint32_t i = 0; i < PcrIndex::kCount; ++i) {
    if (text == std::to_string(i)) return PcrIndex::from(i);
  }
  return std::nullopt;
}

std::optional<PcrValues> parse_pcrs(std::string_view text) {
  PcrValues out;
  while (!text.empty()) {
    const std::string_view pcr = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), pcr.size() + 1));
    const std::size_t equals = pcr.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const auto index = parse_pcr_index(pcr.substr(0, equals));
    const auto value = parse_digest(pcr.substr(equals + 1));
    if (!index || !value) return std::nullopt;
    out.emplace(PcrSlot{value->alg(), *index}, *value);
  }
  return out;
}

Result<Standing> take_standing(const Database& database, Statement& row) {
  const auto state = node_state_by_name(row.take<std::string>());
  if (!state) return database.malformed("a node state");
  Standing standing{.state = *state, .since = row.take<Instant>()};
  standing.last_verified = row.take_optional<Instant>();
  standing.has_open_violations = row.take<bool>();
  return standing;
}

Result<LogCheckpoint> take_checkpoint(const Database& database, Statement& row) {
  LogCheckpoint checkpoint{.entries = row.take<std::uint64_t>()};
  checkpoint.bytes = row.take<std::uint64_t>();
  auto pcrs = parse_pcrs(row.take<std::string>());
  if (!pcrs) return database.malformed("PCR values");
  checkpoint.running = *std::move(pcrs);
  const auto policy = row.take<std::uint64_t>();
  if (policy > static_cast<std::uint64_t>(ImaPolicyState::kLoaded)) {
    return database.malformed("the state of an IMA policy");
  }
  checkpoint.ima_policy = static_cast<ImaPolicyState>(policy);
  if (const auto last = row.take_optional<std::string>()) {
    checkpoint.last_record = parse_digest(*last);
    if (!checkpoint.last_record) return database.malformed("a record's digest");
  }
  return checkpoint;
}

std::optional<TpmClock> take_clock(Statement& row) {
  const auto clock_ms = row.take_optional<std::uint64_t>();
  TpmClock clock{.clock_ms = clock_ms.value_or(0)};
  clock.reset_count = row.take<std::uint32_t>();
  clock.restart_count = row.take<std::uint32_t>();
  clock.safe = row.take<bool>();
  clock.firmware_version = row.take<std::uint64_t>();
  return clock_ms ? std::optional(clock) : std::nullopt;
}

Status take_origin(const Database& database, Statement& row, NodeRecord& node) {
  if (const auto ek = row.take_optional<std::string>()) {
    node.ek_id = parse_digest(*ek);
    if (!node.ek_id) return database.malformed("an endorsement key's digest");
  }
  node.manufacturer = row.take<std::string>();
  node.admitted_by = row.take<std::string>();
  node.re_enrol_until = row.take_optional<Instant>();
  auto pcrs = parse_pcrs(row.take<std::string>());
  if (!pcrs) return database.malformed("PCR values");
  node.boot_pcrs = *std::move(pcrs);
  return {};
}

Result<NodeRecord> take_node(const Database& database, Statement& row) {
  NodeRecord node{.id = NodeId{row.take<std::int64_t>()}, .name = row.take<std::string>()};
  node.ak_public = row.take<Bytes>();
  const auto fingerprint = parse_digest(row.take<std::string>());
  if (!fingerprint) return database.malformed("a key fingerprint");
  node.ak_fingerprint = *fingerprint;
  node.enrolled_at = row.take<Instant>();
  ASSAY_TRY(node.standing, take_standing(database, row));
  node.boot = row.take<std::uint64_t>();
  ASSAY_TRY(node.checkpoint, take_checkpoint(database, row));
  node.clock = take_clock(row);
  node.faults_total = row.take<std::uint64_t>();
  node.last_rejection_at = row.take_optional<Instant>();
  node.open_violations = row.take<std::uint64_t>();
  ASSAY_OK(take_origin(database, row, node));
  return node;
}

Status read_faults(Database& database, NodeRecord& node) {
  ASSAY_TRY(
      Statement rows,
      database.query("SELECT role, fault, entry, path, digest, detail, warns FROM node_faults "
                     "WHERE node_id = ? ORDER BY position",
                     raw(node.id)));
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return {};
    const bool rejection = rows.take<std::string>() == kRejection;
    ASSAY_TRY(Fault fault, take_fault(database, rows));
    if (rejection) {
      node.last_rejection = std::move(fault);
    } else {
      node.faults.push_back(std::move(fault));
    }
  }
}

template <typename Key>
Result<NodeRecord> read_one(Database& database, std::string_view where, const Key& key) {
  ASSAY_TRY(Statement rows, database.query(std::string(kSelectNodes) + std::string(where), key));
  ASSAY_TRY(const bool row, rows.next());
  if (!row) return fail(FaultId::kNotFound, "");
  ASSAY_TRY(NodeRecord node, take_node(database, rows));
  ASSAY_OK(read_faults(database, node));
  return node;
}

Status insert_fault(Database& database, NodeId node, std::string_view role, std::size_t position,
                    const Fault& fault) {
  return database.run("INSERT INTO node_faults VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", raw(node), role,
                      position, fault_name(fault.id), fault.entry, as_bytes(fault.path),
                      fault.digest, fault.detail, lowered_severity(fault));
}

Status delete_faults(Database& database, NodeId node, std::string_view role) {
  return database.run("DELETE FROM node_faults WHERE node_id = ? AND role = ?", raw(node), role);
}

Status write_origin(Database& database, NodeId node, const NodeOrigin& origin) {
  return database.run(
      "UPDATE nodes SET ek_id = ?, ek_public = ?, manufacturer = ?, admitted_by = ? WHERE id = ?",
      origin.ek_id, origin.ek_id ? std::optional(ByteView(origin.ek_public)) : std::nullopt,
      origin.manufacturer, origin.admitted_by, raw(node));
}

}  // namespace

Status insert_node(Database& database, std::string_view name, const NodeKeys& keys, Instant now) {
  const Standing standing{.since = now};
  ASSAY_OK(database.run(
      "INSERT INTO nodes (name, ak_public, ak_fingerprint, enrolled_at, state, state_since) "
      "VALUES (?, ?, ?, ?, ?, ?)",
      name, keys.ak.encoded(), keys.ak.fingerprint(), now, node_state_name(standing.state),
      standing.since));
  return write_origin(database, NodeId{database.last_insert_id()}, keys.origin);
}

Status replace_keys(Database& database, NodeId node, const NodeKeys& keys, Instant now) {
  ASSAY_OK(database.run(
      "UPDATE nodes SET ak_public = ?, ak_fingerprint = ?, enrolled_at = ?, clock_ms = NULL, "
      "re_enrol_until = NULL, boot_pcrs = '' WHERE id = ?",
      keys.ak.encoded(), keys.ak.fingerprint(), now, raw(node)));
  ASSAY_OK(write_origin(database, node, keys.origin));
  ASSAY_OK(begin_boot(database, node));
  ASSAY_OK(database.run("DELETE FROM node_boots WHERE node_id = ?", raw(node)));
  ASSAY_OK(delete_faults(database, node, kRejection));
  ASSAY_OK(write_verdict(database, {.node = node}));
  return write_standing(database, node, {.since = now});
}

Status write_re_enrol_until(Database& database, NodeId node, Instant until) {
  return database.run("UPDATE nodes SET re_enrol_until = ? WHERE id = ?", until, raw(node));
}

Result<std::vector<NodeRecord>> read_nodes(Database& database) {
  std::vector<NodeRecord> nodes;
  ASSAY_TRY(Statement rows, database.query(std::string(kSelectNodes) + "ORDER BY name"));
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return nodes;
    ASSAY_TRY(NodeRecord node, take_node(database, rows));
    ASSAY_OK(read_faults(database, node));
    nodes.push_back(std::move(node));
  }
}

Result<NodeRecord> read_node(Database& database, std::string_view name) {
  auto node = read_one(database, "WHERE name = ?", name);
  if (!node && node.error().id == FaultId::kNotFound) {
    return fail(FaultId::kNotFound, "no node is enrolled as " + escape_bytes(name));
  }
  return node;
}

Result<NodeRecord> read_node_by_ak(Database& database, const Digest& fingerprint) {
  auto node = read_one(database, "WHERE ak_fingerprint = ?", fingerprint);
  if (!node && node.error().id == FaultId::kNotFound) {
    return fail(FaultId::kNotFound,
                "no node is enrolled with the attestation key " + format_digest(fingerprint));
  }
  return node;
}

Result<NodeRecord> read_node_by_ek(Database& database, const Digest& ek_id) {
  auto node = read_one(database, "WHERE ek_id = ?", ek_id);
  if (!node && node.error().id == FaultId::kNotFound) {
    return fail(FaultId::kNotFound,
                "no node is enrolled with the endorsement key " + format_digest(ek_id));
  }
  return node;
}

Result<NodeBefore> read_node_before(Database& database, NodeId node) {
  ASSAY_TRY(
      Statement rows,
      database.query("SELECT name, state, boot, faults_total FROM nodes WHERE id = ?", raw(node)));
  ASSAY_TRY(const bool row, rows.next());
  if (!row) return fail(FaultId::kNotFound, "no node has number " + std::to_string(raw(node)));
  NodeBefore before{.id = node, .name = rows.take<std::string>()};
  const auto state = node_state_by_name(rows.take<std::string>());
  if (!state) return database.malformed("a node state");
  before.state = *state;
  before.boot = rows.take<std::uint64_t>();
  before.faults_total = rows.take<std::uint64_t>();
  return before;
}

Status write_standing(Database& database, NodeId node, const Standing& standing) {
  return database.run(
      "UPDATE nodes SET state = ?, state_since = ?, last_verified = ?, has_open_violations = ? "
      "WHERE id = ?",
      node_state_name(standing.state), standing.since, standing.last_verified,
      standing.has_open_violations, raw(node));
}

Status begin_boot(Database& database, NodeId node) {
  ASSAY_OK(database.run("UPDATE nodes SET boot = boot + 1 WHERE id = ?", raw(node)));
  return write_checkpoint(database, node, LogCheckpoint{});
}

Status write_checkpoint(Database& database, NodeId node, const LogCheckpoint& checkpoint) {
  return database.run(
      "UPDATE nodes SET log_entries = ?, log_bytes = ?, log_pcrs = ?, log_policy = ?, "
      "log_last_record = ? WHERE id = ?",
      checkpoint.entries, checkpoint.bytes, format_pcrs(checkpoint.running),
      static_cast<std::int64_t>(checkpoint.ima_policy),
      checkpoint.last_record ? std::optional(format_digest(*checkpoint.last_record)) : std::nullopt,
      raw(node));
}

Result<PcrValues> read_boot_pcrs(Database& database, NodeId node) {
  ASSAY_TRY(const auto text,
            database.first<std::string>("SELECT boot_pcrs FROM nodes WHERE id = ?", raw(node)));
  auto pcrs = parse_pcrs(text.value_or(""));
  if (!pcrs) return database.malformed("PCR values");
  return *std::move(pcrs);
}

Status write_boot_pcrs(Database& database, NodeId node, const PcrValues& pcrs) {
  return database.run("UPDATE nodes SET boot_pcrs = ? WHERE id = ?", format_pcrs(pcrs), raw(node));
}

Status write_clock(Database& database, NodeId node, const TpmClock& clock) {
  return database.run(
      "UPDATE nodes SET clock_ms = ?, clock_resets = ?, clock_restarts = ?, clock_safe = ?, "
      "clock_firmware = ? WHERE id = ?",
      clock.clock_ms, clock.reset_count, clock.restart_count, clock.safe, clock.firmware_version,
      raw(node));
}

Status write_verdict(Database& database, const AttemptRecord& attempt) {
  ASSAY_OK(delete_faults(database, attempt.node, kVerdict));
  const std::size_t stored = std::min(attempt.faults.size(), kMaxStoredFaults);
  for (std::size_t i = 0; i < stored; ++i) {
    ASSAY_OK(insert_fault(database, attempt.node, kVerdict, i, attempt.faults[i]));
  }
  return database.run("UPDATE nodes SET faults_total = ? WHERE id = ?", attempt.faults_total,
                      raw(attempt.node));
}

Status write_rejection(Database& database, NodeId node, const Fault& why, Instant at) {
  ASSAY_OK(delete_faults(database, node, kRejection));
  ASSAY_OK(insert_fault(database, node, kRejection, 0, why));
  return database.run("UPDATE nodes SET rejected_at = ? WHERE id = ?", at, raw(node));
}

}  // namespace assay
