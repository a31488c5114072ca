#include "verifier/store/monitored_rows.h"

#include <limits>
#include <map>
#include <set>
#include <utility>

#include "golden/set_file.h"
#include "verifier/store/audit_rows.h"
#include "verifier/store/golden_rows.h"

namespace assay {
namespace {

constexpr std::string_view kActor = "monitor";

using Content = std::pair<std::string, Digest>;  // path and digest

// The draft of a set, else what is approved of it, else nothing.
Result<GoldenSet> read_base(Database& database, const std::string& name) {
  GoldenSet out{.name = name, .source = std::string(kActor), .files = {}};
  ASSAY_TRY(const auto generation,
            database.first<std::uint64_t>(
                "SELECT generation FROM golden_generations WHERE name = ? AND state IN ('draft', "
                "'approved') ORDER BY state DESC LIMIT 1",
                name));
  if (!generation) return out;
  const GoldenId id{.name = name, .generation = *generation};
  constexpr FileRange kAll{.offset = 0, .limit = std::numeric_limits<std::uint32_t>::max()};
  ASSAY_TRY(out.files, read_golden_files(database, id, kAll));
  for (GoldenFile& file : out.files) file.layer.reset();  // this set is no image's
  ASSAY_TRY(out.signers, read_golden_signers(database, id));
  return out;
}

// Adds those that `set` does not have, while there is room; how many that were.
std::size_t add_new(const std::set<Content>& files, GoldenSet& set) {
  std::set<Content> known;
  for (const GoldenFile& file : set.files) {
    for (const Digest& digest : file.digests) known.emplace(file.path, digest);
  }
  const std::size_t before = set.files.size();
  for (const auto& [path, digest] : files) {
    if (set.files.size() >= kMaxDraftedFiles) break;
    if (!known.contains({path, digest})) set.files.push_back({.path = path, .digests = {digest}});
  }
  return set.files.size() - before;
}

Status write_draft(Database& database, GoldenSet set, Instant now) {
  sort_files(set.files);
  const bool is_full = set.files.size() >= kMaxDraftedFiles;
  GoldenPushRequest request{
      .set = std::move(set), .by = std::string(kActor), .state = GoldenState::kDraft};
  request.digest = hash(HashAlg::kSha256, as_bytes(format_golden_set(request.set)));
  const auto pushed = write_golden_set(database, request, now);
  if (!pushed && pushed.error().id != FaultId::kGoldenRevoked) {
    return tl::unexpected<Fault>(pushed.error());
  }
  if (!is_full) return {};
  return write_audit(database, {.at = now,
                                .actor = std::string(kActor),
                                .action = "golden.draft_full",
                                .subject = request.set.name,
                                .detail = "no further file is drafted: review it"});
}

}  // namespace

std::string monitored_set_name(std::string_view name_space) {
  return "monitored/" + std::string(name_space);
}

Status draft_monitored(Database& database, const std::vector<MonitoredFile>& files, Instant now) {
  std::map<std::string, std::set<Content>> by_set;
  for (const MonitoredFile& file : files) {
    by_set[monitored_set_name(file.name_space)].emplace(file.path, file.digest);
  }
  for (const auto& [name, contents] : by_set) {
    ASSAY_TRY(GoldenSet set, read_base(database, name));
    if (add_new(contents, set) > 0) ASSAY_OK(write_draft(database, std::move(set), now));
  }
  return {};
}

}  // namespace assay
