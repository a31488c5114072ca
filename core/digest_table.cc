#include "core/digest_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>

#include "core/result.h"

namespace assay {
namespace {

using Group = DigestTable::Group;

constexpr std::uint32_t kFree = 0xffff'ffff;
// In a slot's reference: the rest is where the groups stand. Else it is the only group itself.
constexpr std::uint32_t kMany = 0x8000'0000;

// Multipliers of the hash, one for every eight bytes of the longest digest.
using HashKey = std::array<std::uint64_t, kMaxHashSize / 8>;

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
HashKey make_key(std::uint64_t seed) {
  HashKey key;
  for (std::uint64_t& multiplier : key) {
    std::uint64_t z = (seed += 0x9e37'79b9'7f4a'7c15);
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
    multiplier = (z ^ (z >> 31)) | 1;
  }
  return key;
}

// Digests of one size in open addressing. Digest and reference stand side by side: one miss of the
// cache brings both.
template <std::size_t Size>
class Slots {
 public:
  struct Slot {
    std::array<std::uint8_t, Size> digest;
    std::uint32_t groups = kFree;
  };

  explicit Slots(const HashKey& key) : key_(key) {}

  std::size_t count() const { return count_; }
  std::vector<Slot>& slots() { return slots_; }
  const std::vector<Slot>& slots() const { return slots_; }

  // Nothing when it is not there.
  const Slot* find(const Digest& digest) const {
    if (slots_.empty()) return nullptr;
    const Slot& slot = slots_[position(digest.bytes().data())];
    return slot.groups == kFree ? nullptr : &slot;
  }

  void reserve(std::size_t digests) {
    if (digests > 0) grow(std::bit_ceil(digests * 8 / 5 + 1));
  }

  // Asks memory for the digest's slot, which will be needed soon.
  void prefetch(const Digest& digest) const {
    if (slots_.empty()) return;
    __builtin_prefetch(&slots_[home(digest.bytes().data()) & (slots_.size() - 1)]);
  }

  // The digest's slot, which is free when it is new: the caller then gives it its group.
  Slot& make(const Digest& digest) {
    if ((count_ + 1) * 8 > slots_.size() * 5) {
      grow(std::max<std::size_t>(16, slots_.size() * 2));
    }
    Slot& slot = slots_[position(digest.bytes().data())];
    if (slot.groups == kFree) {
      std::memcpy(slot.digest.data(), digest.bytes().data(), Size);
      ++count_;
    }
    return slot;
  }

 private:
  std::size_t home(const std::uint8_t* digest) const {
    std::uint64_t sum = 0;
    for (std::size_t at = 0, i = 0; at < Size; at += 8, ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, digest + at, std::min<std::size_t>(8, Size - at));
      sum += word * key_[i];
    }
    // The high bits are the well mixed ones.
    return static_cast<std::size_t>((sum ^ (sum >> 29)) * key_[0] >> 24);
  }

  // Where the digest is, or the free slot where it would be: there is one.
  std::size_t position(const std::uint8_t* digest) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = home(digest) & mask;
    while (slots_[at].groups != kFree && std::memcmp(slots_[at].digest.data(), digest, Size) != 0) {
      at = (at + 1) & mask;
    }
    return at;
  }

  // To a power of two.
  void grow(std::size_t size) {
    if (size <= slots_.size()) return;
    std::vector<Slot> old(size);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.groups != kFree) slots_[position(slot.digest.data())] = slot;
    }
  }

  HashKey key_;
  std::vector<Slot> slots_;  // none, or a power of two, at most five eighths full
  std::size_t count_ = 0;
};

}  // namespace

class DigestTable::Impl {
 private:
  template <typename Self, typename Work>
  static auto with(Self& self, HashAlg alg, const Work& work) {
    switch (alg) {
      case HashAlg::kSha1:
        return work(std::get<0>(self.slots_));
      case HashAlg::kSha256:
        return work(std::get<1>(self.slots_));
      case HashAlg::kSha384:
        return work(std::get<2>(self.slots_));
      case HashAlg::kSha512:
        break;
    }
    return work(std::get<3>(self.slots_));
  }

 public:
  explicit Impl(std::uint64_t seed) : Impl(make_key(seed)) {}

  void add(Group group, const Digest& digest) {
    ASSAY_CHECK(group <= kMaxGroup);
    with(*this, digest.alg(), [&](auto& slots) { add_to(slots.make(digest).groups, group); });
  }

  void reserve(std::size_t digests) { std::get<Slots<32>>(slots_).reserve(digests); }

  void prefetch(const Digest& digest) const {
    with(*this, digest.alg(), [&](const auto& slots) { slots.prefetch(digest); });
  }

  // Lists of groups get one after the other in memory.
  void finish() {
    for (const HashAlg alg : kAllHashAlgs) {
      with(*this, alg, [&](auto& slots) {
        for (auto& slot : slots.slots()) {
          if (slot.groups == kFree || (slot.groups & kMany) == 0) continue;
          const std::vector<Group>& list = lists_[slot.groups & ~kMany];
          slot.groups = kMany | static_cast<std::uint32_t>(flat_.size());
          flat_.push_back(static_cast<Group>(list.size()));
          flat_.insert(flat_.end(), list.begin(), list.end());
          ASSAY_CHECK(flat_.size() < kMany - 1);
        }
      });
    }
    lists_ = {};
  }

  std::span<const Group> find(const Digest& digest) const {
    return with(*this, digest.alg(), [&](const auto& slots) -> std::span<const Group> {
      const auto* slot = slots.find(digest);
      return slot == nullptr ? std::span<const Group>() : groups_of(slot->groups);
    });
  }

  std::size_t digest_count() const {
    return std::apply([](const auto&... slots) { return (slots.count() + ...); }, slots_);
  }

  void for_each(const Visit& visit) const {
    for (const HashAlg alg : kAllHashAlgs) {
      with(*this, alg, [&](const auto& slots) {
        for (const auto& slot : slots.slots()) {
          if (slot.groups == kFree) continue;
          visit(*Digest::from(alg, slot.digest), groups_of(slot.groups));
        }
      });
    }
  }

 private:
  explicit Impl(const HashKey& key)
      : slots_(Slots<20>(key), Slots<32>(key), Slots<48>(key), Slots<64>(key)) {}

  void add_to(std::uint32_t& reference, Group group) {
    if (reference == kFree) {
      reference = group;
    } else if ((reference & kMany) != 0) {
      std::vector<Group>& list = lists_[reference & ~kMany];
      if (list.back() != group) list.push_back(group);
    } else if (reference != group) {
      lists_.push_back({reference, group});
      reference = kMany | static_cast<std::uint32_t>(lists_.size() - 1);
    }
  }

  // `reference` is a slot's own, which lives as long as the table.
  std::span<const Group> groups_of(const std::uint32_t& reference) const {
    if ((reference & kMany) == 0) return {&reference, 1};
    const std::size_t at = reference & ~kMany;
    return std::span(flat_).subspan(at + 1, flat_[at]);
  }

  std::tuple<Slots<20>, Slots<32>, Slots<48>, Slots<64>> slots_;
  std::vector<std::vector<Group>> lists_;  // until finish()
  std::vector<Group> flat_;                // after it: how many, then the groups
};

DigestTable::Builder::Builder(std::uint64_t seed) : impl_(std::make_unique<Impl>(seed)) {}
DigestTable::Builder::~Builder() = default;
DigestTable::Builder::Builder(Builder&&) noexcept = default;
DigestTable::Builder& DigestTable::Builder::operator=(Builder&&) noexcept = default;

void DigestTable::Builder::add(Group group, const Digest& digest) {
  impl_->add(group, digest);
}

void DigestTable::Builder::reserve(std::size_t digests) {
  impl_->reserve(digests);
}

void DigestTable::Builder::add(Group group, std::span<const Digest> digests) {
  constexpr std::size_t kAhead = 8;
  for (std::size_t i = 0; i < digests.size(); ++i) {
    if (i + kAhead < digests.size()) impl_->prefetch(digests[i + kAhead]);
    impl_->add(group, digests[i]);
  }
}

DigestTable DigestTable::Builder::build() && {
  impl_->finish();
  return DigestTable(std::move(impl_));
}

DigestTable::DigestTable() : DigestTable(std::make_unique<const Impl>(0)) {}
DigestTable::DigestTable(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}

std::span<const Group> DigestTable::find(const Digest& digest) const {
  return impl_->find(digest);
}

std::size_t DigestTable::digest_count() const {
  return impl_->digest_count();
}

void DigestTable::for_each(const Visit& visit) const {
  impl_->for_each(visit);
}

}  // namespace assay
