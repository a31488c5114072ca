#include "verifier/golden_index.h"

#include <algorithm>
#include <set>
#include <utility>

namespace assay {

Result<GoldenIndex::Contents> GoldenIndex::refresh(Store& store, Instant now) {
  const std::scoped_lock lock(changing_);
  auto contents = update(store, now);
  if (!contents) next_change_ = now;
  return contents;
}

Result<GoldenIndex::Contents> GoldenIndex::update(Store& store, Instant now) {
  ASSAY_TRY(std::vector<GoldenInForce> sets, store.golden_in_force(now));
  ASSAY_OK(load_groups(store, sets));
  merge_tables(sets);
  Contents contents{.sets = sets.size()};
  for (const DigestTable& table : tables_) contents.held += table.digest_count();
  next_change_.reset();
  for (const GoldenInForce& set : sets) {
    contents.hashes += set.hashes;
    if (set.until) next_change_ = std::min(next_change_.value_or(*set.until), *set.until);
  }
  replace(make_snapshot(std::move(sets)));
  return contents;
}

std::optional<Instant> GoldenIndex::next_change() const {
  const std::scoped_lock lock(changing_);
  return next_change_;
}

void GoldenIndex::replace(GoldenSnapshot snapshot) {
  auto next = std::make_shared<const GoldenSnapshot>(std::move(snapshot));
  snapshot_.with(
      [&](auto& current) { current.swap(next); });  // the old one is freed outside the lock
}

GoldenUse GoldenIndex::use_of(const AcceptedEntries& accepted, const GoldenSnapshot& golden) const {
  GoldenUse out{.pods_complete = accepted.pods_complete};
  group_ids_.with([&](const auto& ids) {
    const auto named = [&](const std::vector<AcceptedEntries::Group>& groups) {
      std::vector<GoldenUse::Group> known;
      for (const auto& [group, alone] : groups) {
        if (group < ids.size()) known.push_back({ids[group], alone});
      }
      return known;
    };
    out.groups = named(accepted.groups);
    for (const AcceptedEntries::Pod& pod : accepted.pods) {
      out.pods.push_back({.label = pod.label, .groups = named(pod.groups)});
    }
  });
  for (const GoldenSnapshot::Signer& signer : golden.signers()) {
    const Digest key = signer.key.fingerprint();
    if (std::ranges::count(accepted.signers, key, &AcceptedEntries::Signer::key) == 0) continue;
    out.signers.push_back(signer.key.encoded());
    for (std::size_t i = 0; i < accepted.pods.size(); ++i) {
      const auto& signers = accepted.pods[i].signers;
      if (std::ranges::count(signers, key) > 0) out.pods[i].signers.push_back(signer.key.encoded());
    }
  }
  std::erase_if(out.pods,
                [](const auto& pod) { return pod.groups.empty() && pod.signers.empty(); });
  return out;
}

// What no table has yet goes into one of its own.
Status GoldenIndex::load_groups(Store& store, const std::vector<GoldenInForce>& sets) {
  std::vector<GoldenGroupId> ids = group_ids_.with([](const auto& known) { return known; });
  const std::size_t known_before = ids.size();
  std::map<GoldenGroupId, Group> added;
  for (const GoldenInForce& set : sets) {
    for (const GoldenGroupId id : set.groups) {
      if (groups_.contains(id) || !added.try_emplace(id, static_cast<Group>(ids.size())).second) {
        continue;
      }
      ids.push_back(id);
    }
  }
  if (added.empty()) return {};
  const std::span<const GoldenGroupId> to_load = std::span(ids).subspan(known_before);
  ASSAY_TRY(const std::uint64_t hashes, store.count_golden_digests(to_load));
  DigestTable::Builder builder(seed_);
  builder.reserve(hashes);
  for (const GoldenGroupId id : to_load) {
    ASSAY_TRY(const std::vector<Digest> digests, store.golden_group_digests(id));
    builder.add(added.at(id), digests);
  }
  tables_.push_back(std::move(builder).build());
  groups_.merge(added);
  group_ids_.with([&](auto& known) { known = std::move(ids); });
  return {};
}

// Puts small tables into one, without what no set has any more.
void GoldenIndex::merge_tables(const std::vector<GoldenInForce>& sets) {
  const auto is_large_enough = [&](std::size_t i) {
    return tables_[i].digest_count() >= kGrowth * tables_[i + 1].digest_count();
  };
  std::size_t first = tables_.size();
  while (first > 0 && (first == tables_.size() || !is_large_enough(first - 1))) --first;
  if (first + 1 >= tables_.size()) return;

  std::set<Group> used;
  for (const GoldenInForce& set : sets) {
    for (const GoldenGroupId id : set.groups) used.insert(groups_.at(id));
  }
  DigestTable::Builder builder(seed_);
  std::size_t most = 0;
  for (std::size_t i = first; i < tables_.size(); ++i) most += tables_[i].digest_count();
  builder.reserve(most);
  std::set<Group> dropped;
  for (std::size_t i = first; i < tables_.size(); ++i) {
    tables_[i].for_each([&](const Digest& digest, std::span<const Group> groups) {
      for (const Group group : groups) {
        if (used.contains(group)) {
          builder.add(group, digest);
        } else {
          dropped.insert(group);
        }
      }
    });
  }
  tables_.resize(first);
  tables_.push_back(std::move(builder).build());
  std::erase_if(groups_, [&](const auto& known) { return dropped.contains(known.second); });
}

GoldenSnapshot GoldenIndex::make_snapshot(std::vector<GoldenInForce> sets) const {
  std::vector<GoldenSnapshot::Set> out;
  for (GoldenInForce& set : sets) {
    GoldenSnapshot::Set& named = out.emplace_back();
    named.name = std::move(set.name);
    for (const GoldenGroupId id : set.groups) named.groups.push_back(groups_.at(id));
    for (GoldenSigner& signer : set.signers) named.signers.push_back(std::move(signer.key));
  }
  return {tables_, std::move(out)};
}

}  // namespace assay
