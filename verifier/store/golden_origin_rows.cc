#include "verifier/store/golden_origin_rows.h"

#include <algorithm>
#include <utility>

#include "verifier/store/golden_files_rows.h"
#include "verifier/store/golden_rows.h"

namespace assay {
namespace {

struct GroupUse {
  GoldenId set;
  std::optional<std::uint32_t> layer{};
};

Result<std::vector<GroupUse>> read_uses(Database& database, std::int64_t group) {
  ASSAY_TRY(Statement rows,
            database.query("SELECT name, generation, layer FROM golden_set_groups JOIN "
                           "golden_generations ON id = set_id WHERE group_id = ? "
                           "ORDER BY state <> 'approved', name, generation DESC, position",
                           group));
  std::vector<GroupUse> out;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return out;
    auto name = rows.take<std::string>();
    const auto generation = rows.take<std::uint64_t>();
    out.push_back({.set = {.name = std::move(name), .generation = generation},
                   .layer = rows.take_optional<std::uint32_t>()});
  }
}

Result<std::vector<std::string>> read_paths(Database& database, std::int64_t group,
                                            const Digest& digest) {
  ASSAY_TRY(Statement rows,
            database.query("SELECT path, digests FROM golden_group_files WHERE group_id = ? AND "
                           "instr(digests, ?) > 0 ORDER BY position",
                           group, pack_digests({digest})));
  std::vector<std::string> out;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return out;
    std::string path(as_text(rows.take<Bytes>()));
    const auto digests = unpack_digests(rows.take<Bytes>());
    if (!digests) return database.malformed("a golden digest");
    // The bytes of another may hold those of this one.
    if (std::ranges::find(*digests, digest) != digests->end()) out.push_back(std::move(path));
  }
}

Status add_use(Database& database, const GroupUse& use, const std::vector<std::string>& paths,
               GoldenOrigins& out) {
  out.total += paths.size();
  if (out.listed.size() >= kMaxGoldenRuns) return {};
  ASSAY_TRY(GoldenRecord set, read_golden_set(database, use.set));
  GoldenOrigin origin;
  if (set.image) {
    origin.images = std::move(set.image->names);
    const auto& layers = set.image->layers;
    if (use.layer && *use.layer < layers.size()) origin.layer = layers[*use.layer];
  }
  set.image.reset();
  set.facts.clear();
  origin.set = std::move(set);
  for (const std::string& path : paths) {
    if (out.listed.size() >= kMaxGoldenRuns) break;
    origin.path = path;
    out.listed.push_back(origin);
  }
  return {};
}

}  // namespace

Result<std::vector<GoldenGroupId>> read_groups(Database& database) {
  ASSAY_TRY(Statement rows, database.query("SELECT id FROM golden_groups ORDER BY id"));
  std::vector<GoldenGroupId> out;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return out;
    out.push_back(GoldenGroupId{rows.take<std::int64_t>()});
  }
}

Status add_origins(Database& database, GoldenGroupId group, const Digest& digest,
                   GoldenOrigins& out) {
  const auto id = static_cast<std::int64_t>(group);
  ASSAY_TRY(const auto at, database.first<std::uint64_t>(
                               "SELECT instr(digests, ?) FROM golden_groups WHERE id = ?",
                               pack_digests({digest}), id));
  if (at.value_or(0) == 0) return {};
  ASSAY_TRY(const auto paths, read_paths(database, id, digest));
  if (paths.empty()) return {};
  ASSAY_TRY(const auto uses, read_uses(database, id));
  for (const GroupUse& use : uses) ASSAY_OK(add_use(database, use, paths, out));
  return {};
}

}  // namespace assay
