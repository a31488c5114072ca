#include "verifier/store/golden_use_rows.h"

#include "core/text.h"
#include "verifier/store/golden_rows.h"

namespace assay {
namespace {

// Of the set's generations, or of the one with the number ?2: what nodes were seen to have of it. A group is
// its own when it is in no other set.
constexpr std::string_view kUses =
    "WITH sets AS (SELECT id FROM golden_generations WHERE name = ?1 AND (?2 = 0 OR generation = "
    "?2)), "
    "parts AS (SELECT group_id, max(set_id NOT IN sets) AS is_shared FROM golden_set_groups WHERE "
    "group_id IN (SELECT group_id FROM golden_set_groups WHERE set_id IN sets) GROUP BY group_id), "
    "uses AS (SELECT node_id, first_seen, boot, is_alone AND NOT is_shared AS is_own FROM "
    "node_golden_groups JOIN parts USING (group_id) UNION ALL "
    "SELECT node_id, first_seen, boot, 1 FROM node_golden_signers WHERE key IN "
    "(SELECT key FROM golden_set_signers WHERE set_id IN sets)) ";

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
  return {};
}

Result<GoldenRuns> read_golden_runs(Database& database, const GoldenId& id) {
  ASSAY_OK(read_golden_set(database, id));
  const std::uint64_t generation = id.generation.value_or(0);
  GoldenRuns out;
  ASSAY_TRY(const auto total, database.first<std::uint64_t>(
                                  std::string(kUses) + "SELECT count(DISTINCT node_id) FROM uses",
                                  id.name, generation));
  out.total = total.value_or(0);
  ASSAY_TRY(Statement rows,
            database.query(std::string(kUses) +
                               "SELECT name, state, min(first_seen), max(uses.boot = nodes.boot), "
                               "max(is_own) AS own FROM uses JOIN nodes ON id = node_id "
                               "GROUP BY node_id ORDER BY own DESC, name LIMIT ?3",
                           id.name, generation, kMaxGoldenRuns));
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return out;
    GoldenRun run{.node = rows.take<std::string>()};
    const auto state = node_state_by_name(rows.take<std::string>());
    if (!state) return database.malformed("a node's state");
    run.state = *state;
    run.first_seen = rows.take<Instant>();
    run.this_boot = rows.take<std::uint32_t>() != 0;
    run.own = rows.take<std::uint32_t>() != 0;
    out.nodes.push_back(std::move(run));
  }
}

}  // namespace assay
