#include "verifier/store/placement_rows.h"

#include <set>
#include <utility>

#include "verifier/store/golden_rows.h"

namespace assay {
namespace {

// Of the set's generations, or of the one with the number ?2: each pod that had one of their images.
constexpr std::string_view kPlaced =
    "WITH images AS (SELECT DISTINCT value FROM golden_image_items JOIN golden_generations ON id = "
    "set_id WHERE role = 'digest' AND name = ?1 AND (?2 = 0 OR generation = ?2)), "
    "placed AS (SELECT node, pod, max(pods.name) AS name, min(source) AS source, "
    "min(first_seen) AS first_seen FROM pod_images AS pods JOIN images ON digest = value "
    "GROUP BY node, pod) ";

std::string with_placed(std::string_view select) {
  return std::string(kPlaced) + std::string(select);
}

// What rows of a node are bounded by: whose word they are.
using Share = std::pair<std::string_view, std::string_view>;  // node, source

Status write_image(Database& database, const PodPlacement& pod, const PodImage& image,
                   Instant now) {
  return database.run(
      "INSERT INTO pod_images (node, pod, name, digest, source, first_seen) VALUES (?, ?, ?, ?, ?, "
      "?) ON CONFLICT (digest, pod, node) DO UPDATE SET source = excluded.source "
      "WHERE source > excluded.source",
      pod.node, pod.pod.text(), pod.name, image.digest, image_source_name(image.source), now);
}

// Forgets what is over kMaxPlacements.
Status forget_oldest(Database& database, const Share& share) {
  const auto& [node, source] = share;
  ASSAY_TRY(const auto count,
            database.first<std::uint64_t>(
                "SELECT count(*) FROM pod_images WHERE node = ? AND source = ?", node, source));
  if (count.value_or(0) <= kMaxPlacements) return {};
  ASSAY_OK(database.run(
      "DELETE FROM pod_images WHERE id IN (SELECT id FROM pod_images WHERE node = ? AND source = ? "
      "ORDER BY id LIMIT ?)",
      node, source, *count - kMaxPlacements));
  return database.run("INSERT INTO forgotten_placements VALUES (?) ON CONFLICT DO NOTHING", node);
}

Status read_rows(Database& database, const GoldenId& id, GoldenPlacements& out) {
  ASSAY_TRY(Statement rows,
            database.query(with_placed("SELECT node, pod, name, source, first_seen FROM placed "
                                       "ORDER BY source, node, name, pod LIMIT ?3"),
                           id.name, id.generation.value_or(0), kMaxGoldenRuns));
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return {};
    auto node = rows.take<std::string>();
    const auto pod = PodLabel::pod(rows.take<std::string>());
    auto name = rows.take<std::string>();
    const auto source = image_source_by_name(rows.take<std::string>());
    if (!pod || !source) return database.malformed("a pod's image");
    out.listed.push_back({.pod = *pod,
                          .node = std::move(node),
                          .name = std::move(name),
                          .source = *source,
                          .first_seen = rows.take<Instant>()});
  }
}

Status read_incomplete(Database& database, GoldenPlacements& out) {
  ASSAY_TRY(Statement rows,
            database.query("SELECT node FROM forgotten_placements ORDER BY node LIMIT ?",
                           kMaxGoldenRuns));
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return {};
    out.incomplete.push_back(rows.take<std::string>());
  }
}

}  // namespace

Status write_placements(Database& database, std::span<const PodPlacement> pods, Instant now) {
  std::set<Share> written;
  for (const PodPlacement& pod : pods) {
    for (const PodImage& image : pod.images) {
      ASSAY_OK(write_image(database, pod, image, now));
      written.emplace(pod.node, image_source_name(image.source));
    }
  }
  for (const Share& share : written) ASSAY_OK(forget_oldest(database, share));
  return {};
}

Result<GoldenPlacements> read_golden_placements(Database& database, const GoldenId& id) {
  ASSAY_OK(read_golden_set(database, id));
  GoldenPlacements out;
  ASSAY_TRY(const auto total,
            database.first<std::uint64_t>(with_placed("SELECT count(*) FROM placed"), id.name,
                                          id.generation.value_or(0)));
  out.total = total.value_or(0);
  ASSAY_OK(read_rows(database, id, out));
  ASSAY_OK(read_incomplete(database, out));
  return out;
}

}  // namespace assay
