#include "verifier/store/violation_rows.h"

#include <algorithm>
#include <limits>

#include "core/text.h"
#include "verifier/store/fault_row.h"

namespace assay {
namespace {

constexpr std::string_view kSelectViolations =
    "SELECT v.id, n.name, v.boot, v.fault, v.entry, v.path, v.digest, v.detail, v.warns, "
    "v.detected_at, "
    "v.status, v.closed_at, v.reason FROM violations v JOIN nodes n ON n.id = v.node_id ";

std::int64_t raw(NodeId node) {
  return static_cast<std::int64_t>(node);
}

std::optional<ViolationStatus> status_by_name(std::string_view name) {
  for (const auto status :
       {ViolationStatus::kOpen, ViolationStatus::kAcknowledged, ViolationStatus::kClosed}) {
    if (violation_status_name(status) == name) return status;
  }
  return std::nullopt;
}

Result<ViolationRecord> take_violation(const Database& database, Statement& row) {
  ViolationRecord violation{.id = ViolationId{row.take<std::int64_t>()},
                            .node = row.take<std::string>(),
                            .boot = row.take<std::uint64_t>(),
                            .fault = {.id = FaultId::kStoreFailed}};
  ASSAY_TRY(violation.fault, take_fault(database, row));
  violation.detected_at = row.take<Instant>();
  const auto status = status_by_name(row.take<std::string>());
  if (!status) return database.malformed("a violation's status");
  violation.status = *status;
  violation.closed_at = row.take_optional<Instant>();
  violation.acknowledgement = row.take<std::string>();
  return violation;
}

Result<std::uint64_t> count_listed(Database& database, NodeId node) {
  ASSAY_TRY(
      const auto count,
      database.first<std::uint64_t>(
          "SELECT count(*) FROM violations WHERE node_id = ? AND status = 'open'", raw(node)));
  return count.value_or(0);
}

Result<bool> is_open(Database& database, const NodeBefore& node, const Fault& fault) {
  ASSAY_TRY(
      const auto found,
      database.first<std::int64_t>(
          "SELECT 1 FROM violations WHERE node_id = ? AND boot = ? AND fault = ? AND "
          "coalesce(entry, -1) = coalesce(?, -1) AND warns IS ? AND status = 'open'",
          raw(node.id), node.boot, fault_name(fault.id), fault.entry, lowered_severity(fault)));
  return found.has_value();
}

Status insert_violation(Database& database, const NodeBefore& node, const Fault& fault,
                        Instant now) {
  return database.run(
      "INSERT INTO violations (node_id, boot, fault, entry, path, digest, detail, warns, "
      "detected_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      raw(node.id), node.boot, fault_name(fault.id), fault.entry, as_bytes(fault.path),
      fault.digest, fault.detail, lowered_severity(fault), now);
}

Status count_unlisted(Database& database, NodeId node, std::uint64_t more) {
  if (more == 0) return {};
  return database.run("UPDATE nodes SET unlisted_violations = unlisted_violations + ? WHERE id = ?",
                      more, raw(node));
}

}  // namespace

std::string_view violation_status_name(ViolationStatus status) {
  switch (status) {
    case ViolationStatus::kOpen:
      return "open";
    case ViolationStatus::kAcknowledged:
      return "acknowledged";
    case ViolationStatus::kClosed:
      return "closed";
  }
  return "open";
}

Result<NewViolations> insert_violations(Database& database, const NodeBefore& node,
                                        const AttemptRecord& attempt) {
  NewViolations out;
  out.unlisted =
      std::max<std::uint64_t>(attempt.faults_total, attempt.faults.size()) - attempt.faults.size();
  ASSAY_TRY(std::uint64_t listed, count_listed(database, node.id));
  for (const Fault& fault : attempt.faults) {
    if (listed >= kMaxOpenViolations) {
      ASSAY_TRY(const bool open, is_open(database, node, fault));
      if (!open) ++out.unlisted;
      continue;
    }
    ASSAY_OK(insert_violation(database, node, fault, attempt.at));
    if (database.changes() == 0) continue;
    ++listed;
    out.listed.push_back({.id = ViolationId{database.last_insert_id()},
                          .node = node.name,
                          .boot = node.boot,
                          .fault = fault,
                          .detected_at = attempt.at,
                          .status = ViolationStatus::kOpen,
                          .closed_at = {},
                          .acknowledgement = {}});
  }
  ASSAY_OK(count_unlisted(database, node.id, out.unlisted));
  return out;
}

Result<std::uint64_t> close_violations(Database& database, NodeId node, const Closing& closing) {
  ASSAY_TRY(const auto unlisted,
            database.first<std::uint64_t>("SELECT unlisted_violations FROM nodes WHERE id = ?",
                                          raw(node)));
  ASSAY_OK(database.run("UPDATE nodes SET unlisted_violations = 0 WHERE id = ?", raw(node)));
  ASSAY_OK(database.run(
      "UPDATE violations SET status = ?, closed_at = ?, reason = ? WHERE node_id = ? AND "
      "status = 'open'",
      violation_status_name(closing.status), closing.at, closing.reason, raw(node)));
  return database.changes() + unlisted.value_or(0);
}

Result<std::vector<ViolationRecord>> read_violations(Database& database,
                                                     const Store::ViolationQuery& query) {
  std::optional<std::int64_t> node;
  if (!query.node.empty()) {
    ASSAY_TRY(node,
              database.first<std::int64_t>("SELECT id FROM nodes WHERE name = ?", query.node));
    if (!node) {
      return fail(FaultId::kNotFound, "no node is enrolled as " + escape_bytes(query.node));
    }
  }
  const std::uint64_t newest = std::numeric_limits<std::int64_t>::max();
  const std::uint64_t before = query.before_id == 0 ? newest : std::min(query.before_id, newest);
  const std::string_view of_node = node ? "v.node_id = ?" : "? IS NULL";
  ASSAY_TRY(
      Statement rows,
      database.query(std::string(kSelectViolations) + "WHERE " + std::string(of_node) +
                         " AND v.id < ? AND (? = 0 OR v.status = 'open') "
                         "ORDER BY v.id DESC LIMIT ?",
                     node, before, query.open_only, std::min(query.limit, kMaxViolationsListed)));
  std::vector<ViolationRecord> violations;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return violations;
    ASSAY_TRY(ViolationRecord violation, take_violation(database, rows));
    violations.push_back(std::move(violation));
  }
}

Result<ViolationRecord> read_violation(Database& database, ViolationId id) {
  const auto number = static_cast<std::int64_t>(id);
  ASSAY_TRY(Statement rows,
            database.query(std::string(kSelectViolations) + "WHERE v.id = ?", number));
  ASSAY_TRY(const bool row, rows.next());
  if (!row) return fail(FaultId::kNotFound, "no violation has number " + std::to_string(number));
  return take_violation(database, rows);
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> count_open_by_fault(Database& database) {
  ASSAY_TRY(Statement rows,
            database.query("SELECT fault, count(*) FROM violations WHERE status = 'open' "
                           "GROUP BY fault ORDER BY fault"));
  std::vector<std::pair<std::string, std::uint64_t>> counts;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return counts;
    std::string fault = rows.take<std::string>();
    counts.emplace_back(std::move(fault), rows.take<std::uint64_t>());
  }
}

}  // namespace assay
