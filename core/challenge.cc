#include "core/challenge.h"

namespace assay {

PcrSelection default_selection(HashAlg bank) {
  PcrSelection out;
  for (std::uint32_t i = 0; i <= kImaPcr.value(); ++i) out.insert({bank, *PcrIndex::from(i)});
  return out;
}

}  // namespace assay
