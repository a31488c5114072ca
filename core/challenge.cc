#include "core/challenge.h"

namespace assay {
namespace {

constexpr std::uint32_t kStaticPcrs = 16;

}  // namespace

PcrSelection default_selection(HashAlg bank) {
  PcrSelection out;
  for (std::uint32_t i = 0; i < kStaticPcrs; ++i) out.insert({bank, *PcrIndex::from(i)});
  return out;
}

PcrSelection boot_aggregate_selection(HashAlg bank) {
  const std::uint32_t count = bank == HashAlg::kSha1 ? 8 : 10;
  PcrSelection out;
  for (std::uint32_t i = 0; i < count; ++i) out.insert({bank, *PcrIndex::from(i)});
  return out;
}

PcrSelection boot_selection(HashAlg bank, std::span<const HashAlg> kept) {
  PcrSelection out = default_selection(bank);
  for (const HashAlg other : kept) out.merge(boot_aggregate_selection(other));
  return out;
}

}  // namespace assay
