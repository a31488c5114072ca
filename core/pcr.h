// Platform configuration registers: indices, selections and values.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "core/digest.h"

namespace assay {

// PCR 0 to 23 (TCG PC Client Platform TPM Profile, 4.6: 24 PCRs). Made only by from().
class PcrIndex {
 public:
  static constexpr std::uint32_t kCount = 24;

  static constexpr std::optional<PcrIndex> from(std::uint32_t value) {
    if (value >= kCount) return std::nullopt;
    return PcrIndex(static_cast<std::uint8_t>(value));
  }
  template <std::uint32_t Value>
  static constexpr PcrIndex of() {
    static_assert(Value < kCount);
    return PcrIndex(static_cast<std::uint8_t>(Value));
  }

  constexpr std::uint8_t value() const { return value_; }
  friend constexpr auto operator<=>(PcrIndex, PcrIndex) = default;

 private:
  explicit constexpr PcrIndex(std::uint8_t value) : value_(value) {}
  std::uint8_t value_;
};

// Where the kernel logs measurements unless a policy rule says `pcr=`
// (Linux: CONFIG_IMA_MEASURE_PCR_IDX).
inline constexpr PcrIndex kImaPcr = PcrIndex::of<10>();

// One register of one bank.
struct PcrSlot {
  HashAlg bank;
  PcrIndex index;
  friend auto operator<=>(const PcrSlot&, const PcrSlot&) = default;
};

using PcrSelection = std::set<PcrSlot>;
using PcrValues = std::map<PcrSlot, Digest>;  // each value has its slot's bank as algorithm

}  // namespace assay
