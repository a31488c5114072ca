// Reference values: the digests that approved files have.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/digest_table.h"
#include "core/signature/file_signer.h"

namespace assay {

// Every golden set in force, and every key whose signatures make a file golden, as appraisal looks it up:
// immutable, shared between threads and replaced as a whole when sets change. What is large, the digests,
// is in tables that snapshots share; a group of files may be in many sets. A look-up costs one probe for
// each table, whatever the number of digests.
class GoldenSnapshot {
 public:
  using SetIndex = std::uint32_t;
  using Group = DigestTable::Group;

  struct Set {
    std::string name;
    std::vector<Group> groups;
    std::vector<FileSigner> signers = {};
  };

  struct Signer {
    FileSigner key;
    SetIndex set;
  };

  // Collects the digests of sets, then becomes a snapshot. Adding a pair twice is the same as once.
  class Builder {
   public:
    SetIndex add_set(std::string name);
    void add(SetIndex set, const Digest& digest);
    void add_signer(SetIndex set, FileSigner key);
    GoldenSnapshot build() &&;

   private:
    std::vector<Set> sets_;
    DigestTable::Builder digests_;
  };

  GoldenSnapshot() = default;
  // A group that is in no set makes nothing golden. Memory follows the largest group number.
  GoldenSnapshot(std::vector<DigestTable> tables, std::vector<Set> sets);

  bool contains(const Digest& digest) const;

  // The same, and calls `visit` with each of its groups that is in a set.
  template <typename Visit>
  bool contains(const Digest& digest, const Visit& visit) const {
    bool found = false;
    for (const DigestTable& table : tables_) {
      for (const Group group : table.find(digest)) {
        if (!in_force(group)) continue;
        visit(group);
        found = true;
      }
    }
    return found;
  }

  // The sets that hold `digest`, ascending. For people: it allocates.
  std::vector<SetIndex> sets_of(const Digest& digest) const;

  // By set, in each in the order in which they were given.
  std::span<const Signer> signers() const { return signers_; }

  std::string_view set_name(SetIndex set) const { return names_[set]; }
  std::size_t set_count() const { return names_.size(); }

  // Different digests in all sets. Looks at each.
  std::size_t digest_count() const;

 private:
  bool in_force(Group group) const {
    return group + std::size_t{1} < first_set_.size() && first_set_[group] < first_set_[group + 1];
  }
  bool is_in(const DigestTable& table, const Digest& digest) const;

  std::vector<DigestTable> tables_;
  std::vector<std::string> names_;
  // Group g is in sets_[first_set_[g] .. first_set_[g + 1]); a group past the last is in none.
  std::vector<std::uint32_t> first_set_;
  std::vector<SetIndex> sets_;
  std::vector<Signer> signers_;
};

}  // namespace assay
