// Reference values: the digests that approved files have.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/signature/file_signer.h"

namespace assay {

// Every digest of every golden set, and every key whose signatures make a file golden, as appraisal looks it up: immutable, shared between threads and
// replaced as a whole when sets change. A lookup costs one probe whatever the number of digests.
class GoldenSnapshot {
 public:
  using SetIndex = std::uint32_t;

  struct Signer {
    FileSigner key;
    SetIndex set;
  };

  // Collects digests, then becomes a snapshot. Adding a pair twice is the same as once.
  class Builder {
   public:
    SetIndex add_set(std::string name);
    void add(SetIndex set, const Digest& digest);
    void add_signer(SetIndex set, FileSigner key);
    GoldenSnapshot build() &&;

   private:
    struct Pair {
      Digest digest;
      SetIndex set;
      friend auto operator<=>(const Pair&, const Pair&) = default;
    };
    std::vector<std::string> names_;
    std::vector<Pair> pairs_;
    std::vector<Signer> signers_;
  };

  GoldenSnapshot() = default;

  // The sets that hold `digest`, ascending; empty when it is not golden.
  std::span<const SetIndex> find(const Digest& digest) const;
  bool contains(const Digest& digest) const { return !find(digest).empty(); }

  // In the order in which they were added.
  std::span<const Signer> signers() const { return signers_; }

  std::string_view set_name(SetIndex set) const { return names_[set]; }
  std::size_t set_count() const { return names_.size(); }
  std::size_t digest_count() const { return digests_.size(); }

 private:
  // Open addressing over `digests_`; a slot holds a position plus one, zero is free.
  std::size_t home(const Digest& digest) const;

  std::vector<std::string> names_;
  std::vector<Digest> digests_;  // unique, sorted
  std::vector<std::uint32_t>
      first_set_;  // digests_[i] is in sets_[first_set_[i] .. first_set_[i+1])
  std::vector<SetIndex> sets_;
  std::vector<Signer> signers_;
  std::vector<std::uint32_t> slots_;  // a power of two, at most half full
};

}  // namespace assay
