#include "core/golden_set.h"

#include <algorithm>

#include "core/result.h"

namespace assay {

GoldenSnapshot::SetIndex GoldenSnapshot::Builder::add_set(std::string name) {
  const auto index = static_cast<SetIndex>(sets_.size());
  sets_.push_back({.name = std::move(name), .groups = {index}});
  return index;
}

void GoldenSnapshot::Builder::add(SetIndex set, const Digest& digest) {
  ASSAY_CHECK(set < sets_.size());
  digests_.add(set, digest);
}

void GoldenSnapshot::Builder::add_signer(SetIndex set, FileSigner key) {
  ASSAY_CHECK(set < sets_.size());
  sets_[set].signers.push_back(std::move(key));
}

GoldenSnapshot GoldenSnapshot::Builder::build() && {
  return {{std::move(digests_).build()}, std::move(sets_)};
}

GoldenSnapshot::GoldenSnapshot(std::vector<DigestTable> tables, std::vector<Set> sets)
    : tables_(std::move(tables)) {
  Group last = 0;
  for (const Set& set : sets) {
    for (const Group group : set.groups) last = std::max(last, group);
  }
  first_set_.resize(static_cast<std::size_t>(last) + 2);
  for (const Set& set : sets) {
    for (const Group group : set.groups) ++first_set_[group + 1];
  }
  for (std::size_t g = 1; g < first_set_.size(); ++g) first_set_[g] += first_set_[g - 1];
  sets_.resize(first_set_.back());
  std::vector<std::uint32_t> next = first_set_;
  for (Set& set : sets) {
    const auto index = static_cast<SetIndex>(names_.size());
    for (const Group group : set.groups) sets_[next[group]++] = index;
    for (FileSigner& key : set.signers) signers_.push_back({std::move(key), index});
    names_.push_back(std::move(set.name));
  }
}

bool GoldenSnapshot::is_in(const DigestTable& table, const Digest& digest) const {
  return std::ranges::any_of(table.find(digest), [&](Group group) { return in_force(group); });
}

bool GoldenSnapshot::contains(const Digest& digest) const {
  return std::ranges::any_of(tables_,
                             [&](const DigestTable& table) { return is_in(table, digest); });
}

std::vector<GoldenSnapshot::SetIndex> GoldenSnapshot::sets_of(const Digest& digest) const {
  std::vector<SetIndex> out;
  for (const DigestTable& table : tables_) {
    for (const Group group : table.find(digest)) {
      if (group + std::size_t{1} >= first_set_.size()) continue;
      out.insert(out.end(), sets_.begin() + first_set_[group],
                 sets_.begin() + first_set_[group + 1]);
    }
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::size_t GoldenSnapshot::digest_count() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    tables_[i].for_each([&](const Digest& digest, std::span<const Group> groups) {
      const auto counted = [&](const DigestTable& table) { return is_in(table, digest); };
      const bool is_new =
          std::none_of(tables_.begin(), tables_.begin() + static_cast<std::ptrdiff_t>(i), counted);
      const bool counts = std::ranges::any_of(groups, [&](Group group) { return in_force(group); });
      count += counts && is_new ? 1 : 0;
    });
  }
  return count;
}

}  // namespace assay
