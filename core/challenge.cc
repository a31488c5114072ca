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

}  // namespace assay
