// The golden snapshot that appraisals use right now, kept in step with the store.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/appraise.h"
#include "core/golden_set.h"
#include "verifier/guarded.h"
#include "verifier/store/store.h"

namespace assay {

// Safe from any thread. An appraisal holds the snapshot that it began with; replacing it pauses no one.
//
// Digests are in a few tables, each at least kGrowth times as large as the next: a change reads from the
// store, and puts into tables, what it brings, and seldom more.
class GoldenIndex {
 public:
  struct Contents {
    std::uint64_t sets = 0;
    std::uint64_t hashes = 0;  // of each set, added up
    std::uint64_t held = 0;    // digests in tables, some of which may count no more
  };

  static constexpr std::size_t kGrowth = 8;

  // `seed` is random: whoever pushes sets chooses digests.
  explicit GoldenIndex(std::uint64_t seed) : seed_(seed) {}

  std::shared_ptr<const GoldenSnapshot> current() const {
    return snapshot_.with([](const auto& snapshot) { return snapshot; });
  }

  // Makes everything that counts at `now` what appraisals use. Fails as the store; then what was used still
  // is, and next_change() is `now`: what was revoked must not go on counting for want of another change.
  Result<Contents> refresh(Store& store, Instant now);

  // When the next refresh() is due: a superseded set stops counting then, or the last one failed. Nothing:
  // when somebody changes a set.
  std::optional<Instant> next_change() const;

  void replace(GoldenSnapshot snapshot);

  // What an appraisal by `golden` has accepted, as the store names it: nothing of groups that do not come
  // from the store. Pods have no names yet.
  GoldenUse use_of(const AcceptedEntries& accepted, const GoldenSnapshot& golden) const;

 private:
  using Group = DigestTable::Group;

  Result<Contents> update(Store& store, Instant now);
  Status load_groups(Store& store, const std::vector<GoldenInForce>& sets);
  void merge_tables(const std::vector<GoldenInForce>& sets);
  GoldenSnapshot make_snapshot(std::vector<GoldenInForce> sets) const;

  const std::uint64_t seed_;
  mutable std::mutex changing_;  // held while the store is read; never by current()
  std::vector<DigestTable> tables_;
  std::map<GoldenGroupId, Group> groups_;  // that are in tables_
  // Of every group that ever was in a table, by its number: appraisals may still use old snapshots.
  Guarded<std::vector<GoldenGroupId>> group_ids_;
  std::optional<Instant> next_change_;
  Guarded<std::shared_ptr<const GoldenSnapshot>> snapshot_{
      std::make_shared<const GoldenSnapshot>()};
};

}  // namespace assay
