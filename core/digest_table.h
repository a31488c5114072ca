// Which groups of files a digest is in: what golden look-ups end at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "core/digest.h"

namespace assay {

// Digests with the groups that hold them: immutable, cheap to copy, safe from any thread. A look-up costs
// one probe on average, whatever the number of digests and whoever chose them: slots are found by a
// keyed hash of the whole digest. Some 70 bytes for each SHA-256 digest.
class DigestTable {
 public:
  using Group = std::uint32_t;
  static constexpr Group kMaxGroup = 0x7fff'fffe;

  class Impl;

  // Collects digests, then becomes a table.
  class Builder {
   public:
    // `seed` keys the hash: random where somebody else chooses the digests.
    explicit Builder(std::uint64_t seed = 0);
    ~Builder();
    Builder(Builder&&) noexcept;
    Builder& operator=(Builder&&) noexcept;

    // Room for so many SHA-256 digests: they go in faster.
    void reserve(std::size_t digests);
    // Twice in a row into a group is the same as once. `group` is at most kMaxGroup.
    void add(Group group, const Digest& digest);
    // Many at once: faster, since memory is asked for what comes next.
    void add(Group group, std::span<const Digest> digests);
    DigestTable build() &&;

   private:
    std::unique_ptr<Impl> impl_;
  };

  DigestTable();

  // The groups that hold `digest`, as they were added; empty when none does. Valid while the table is.
  std::span<const Group> find(const Digest& digest) const;

  std::size_t digest_count() const;

  // Calls `visit` with each digest and its groups, in no order.
  using Visit = std::function<void(const Digest&, std::span<const Group>)>;
  void for_each(const Visit& visit) const;

 private:
  explicit DigestTable(std::unique_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace assay
