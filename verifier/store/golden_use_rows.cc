#include "verifier/store/golden_use_rows.h"

#include "core/text.h"
#include "verifier/store/golden_rows.h"

namespace assay {
namespace {

// Of the set's generations, or of the one with the number ?2: what nodes and their pods were seen to have of
// it. A group is its own when it is in no other set.
constexpr std::string_view kUses =
    "WITH sets AS (SELECT id FROM golden_generations WHERE name = ?1 AND (?2 = 0 OR generation = "
    "?2)), "
    "parts AS (SELECT group_id, max(set_id NOT IN sets) AS is_shared FROM golden_set_groups WHERE "
    "group_id IN (SELECT group_id FROM golden_set_groups WHERE set_id IN sets) GROUP BY group_id), "
    "keys AS (SELECT DISTINCT key FROM golden_set_signers WHERE set_id IN sets), "
    "uses AS (SELECT node_id, first_seen, boot, is_alone AND NOT is_shared AS is_own FROM "
    "node_golden_groups JOIN parts USING (group_id) UNION ALL "
    "SELECT node_id, first_seen, boot, 1 FROM node_golden_signers JOIN keys USING (key)), "
    "pod_uses AS (SELECT node_id, attribution, label, pods.name AS pod_name, first_seen, boot, "
    "is_alone AND NOT is_shared AS is_own FROM pod_golden_uses AS pods JOIN parts USING (group_id) "
    "UNION ALL SELECT node_id, attribution, label, pods.name, first_seen, boot, 1 FROM "
    "pod_golden_uses AS pods JOIN keys USING (key)) ";

std::string with_uses(std::string_view select) {
  return std::string(kUses) + std::string(select);
}

// The end of an INSERT whose row is there already. A range of user ids has had several pods: the name of one
// of them would be wrong of the others.
std::string or_update(std::string_view insert, std::string_view update) {
  return std::string(insert) + " DO UPDATE SET " + std::string(update) +
         "boot = excluded.boot, name = CASE WHEN excluded.name = '' THEN name WHEN attribution = "
         "'uid range' AND name NOT IN ('', excluded.name) THEN '(several)' ELSE excluded.name END";
}

// What every row of a node's pod says of it.
struct PodRow {
  std::int64_t node;
  std::string_view attribution;
  std::string label;
  std::string_view name;
};

Status write_pod_group(Database& database, const PodRow& pod, const GoldenUse::Group& group,
                       Instant now) {
  return database.run(
      or_update(
          "INSERT INTO pod_golden_uses (node_id, attribution, label, name, group_id, is_alone, "
          "first_seen, boot) SELECT nodes.id, ?, ?, ?, golden_groups.id, ?, ?, boot FROM "
          "golden_groups, nodes WHERE golden_groups.id = ? AND nodes.id = ? "
          "ON CONFLICT (group_id, node_id, attribution, label) WHERE group_id IS NOT NULL",
          "is_alone = max(is_alone, excluded.is_alone), "),
      pod.attribution, pod.label, pod.name, group.alone ? 1 : 0, now,
      static_cast<std::int64_t>(group.id), pod.node);
}

Status write_pod_key(Database& database, const PodRow& pod, const Bytes& key, Instant now) {
  return database.run(
      or_update("INSERT INTO pod_golden_uses (node_id, attribution, label, name, key, is_alone, "
                "first_seen, boot) SELECT id, ?, ?, ?, ?, 1, ?, boot FROM nodes WHERE id = ? "
                "ON CONFLICT (key, node_id, attribution, label) WHERE key IS NOT NULL",
                ""),
      pod.attribution, pod.label, pod.name, key, now, pod.node);
}

// Forgets what is over kMaxPodUses; whether there was any.
Result<bool> forget_oldest(Database& database, std::int64_t node) {
  ASSAY_TRY(const auto count, database.first<std::uint64_t>(
                                  "SELECT count(*) FROM pod_golden_uses WHERE node_id = ?", node));
  if (count.value_or(0) <= kMaxPodUses) return false;
  ASSAY_OK(database.run(
      "DELETE FROM pod_golden_uses WHERE id IN (SELECT id FROM pod_golden_uses WHERE node_id = ? "
      "ORDER BY id LIMIT ?)",
      node, *count - kMaxPodUses));
  return true;
}

Status write_pods(Database& database, std::int64_t node, const GoldenUse& use, Instant now) {
  for (const GoldenUse::Pod& pod : use.pods) {
    const PodRow row{.node = node,
                     .attribution = attribution_name(pod.label.attribution()),
                     .label = pod.label.text(),
                     .name = pod.name};
    for (const auto& group : pod.groups) ASSAY_OK(write_pod_group(database, row, group, now));
    for (const Bytes& key : pod.signers) ASSAY_OK(write_pod_key(database, row, key, now));
  }
  bool complete = use.pods_complete;
  if (!use.pods.empty()) {
    ASSAY_TRY(const bool forgotten, forget_oldest(database, node));
    complete = complete && !forgotten;
  }
  if (complete) return {};
  return database.run("UPDATE nodes SET pods_complete = 0 WHERE id = ?", node);
}

Status read_nodes(Database& database, const GoldenId& id, GoldenRuns& out) {
  const std::uint64_t generation = id.generation.value_or(0);
  ASSAY_TRY(const auto total,
            database.first<std::uint64_t>(with_uses("SELECT count(DISTINCT node_id) FROM uses"),
                                          id.name, generation));
  out.total = total.value_or(0);
  ASSAY_TRY(Statement rows,
            database.query(with_uses("SELECT name, state, min(first_seen), max(uses.boot = "
                                     "nodes.boot), max(is_own) AS own, pods_complete FROM uses "
                                     "JOIN nodes ON id = node_id GROUP BY node_id "
                                     "ORDER BY own DESC, name LIMIT ?3"),
                           id.name, generation, kMaxGoldenRuns));
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return {};
    GoldenRun run{.node = rows.take<std::string>()};
    const auto state = node_state_by_name(rows.take<std::string>());
    if (!state) return database.malformed("a node's state");
    run.state = *state;
    run.first_seen = rows.take<Instant>();
    run.this_boot = rows.take<std::uint32_t>() != 0;
    run.own = rows.take<std::uint32_t>() != 0;
    run.pods_complete = rows.take<std::uint32_t>() != 0;
    out.nodes.push_back(std::move(run));
  }
}

Status read_pods(Database& database, const GoldenId& id, GoldenRuns& out) {
  const std::uint64_t generation = id.generation.value_or(0);
  ASSAY_TRY(const auto total,
            database.first<std::uint64_t>(
                with_uses("SELECT count(*) FROM (SELECT DISTINCT node_id, attribution, label FROM "
                          "pod_uses)"),
                id.name, generation));
  out.pods_total = total.value_or(0);
  ASSAY_TRY(Statement rows,
            database.query(with_uses("SELECT name, attribution, label, iif(attribution = "
                                     "'uid range' AND count(DISTINCT nullif(pod_name, '')) > 1, "
                                     "'(several)', max(pod_name)) AS pod_name, "
                                     "min(first_seen), max(pod_uses.boot = nodes.boot), "
                                     "max(is_own) AS own FROM pod_uses JOIN nodes ON id = node_id "
                                     "GROUP BY node_id, attribution, label "
                                     "ORDER BY own DESC, name, pod_name, label LIMIT ?3"),
                           id.name, generation, kMaxGoldenRuns));
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return {};
    auto node = rows.take<std::string>();
    const auto attribution = attribution_by_name(rows.take<std::string>());
    const std::string text = rows.take<std::string>();
    const auto label = attribution ? PodLabel::parse(*attribution, text) : std::nullopt;
    if (!label) return database.malformed("a pod's label");
    GoldenPodRun run{.node = std::move(node), .label = *label, .name = rows.take<std::string>()};
    run.first_seen = rows.take<Instant>();
    run.this_boot = rows.take<std::uint32_t>() != 0;
    run.own = rows.take<std::uint32_t>() != 0;
    out.pods.push_back(std::move(run));
  }
}

}  // namespace

Status write_golden_use(Database& database, NodeId node, const GoldenUse& use, Instant now) {
  const auto id = static_cast<std::int64_t>(node);
  for (const GoldenUse::Group& group : use.groups) {
    ASSAY_OK(database.run(
        "INSERT INTO node_golden_groups (group_id, node_id, is_alone, first_seen, boot) "
        "SELECT golden_groups.id, nodes.id, ?, ?, boot FROM golden_groups, nodes "
        "WHERE golden_groups.id = ? AND nodes.id = ? "
        "ON CONFLICT DO UPDATE SET is_alone = max(is_alone, excluded.is_alone), boot = "
        "excluded.boot "
        "WHERE is_alone < excluded.is_alone OR boot <> excluded.boot",
        group.alone ? 1 : 0, now, static_cast<std::int64_t>(group.id), id));
  }
  for (const Bytes& key : use.signers) {
    ASSAY_OK(
        database.run("INSERT INTO node_golden_signers (key, node_id, first_seen, boot) "
                     "SELECT ?, id, ?, boot FROM nodes WHERE id = ? "
                     "ON CONFLICT DO UPDATE SET boot = excluded.boot WHERE boot <> excluded.boot",
                     key, now, id));
  }
  return write_pods(database, id, use, now);
}

Result<GoldenRuns> read_golden_runs(Database& database, const GoldenId& id) {
  ASSAY_OK(read_golden_set(database, id));
  GoldenRuns out;
  ASSAY_OK(read_nodes(database, id, out));
  ASSAY_OK(read_pods(database, id, out));
  return out;
}

}  // namespace assay
