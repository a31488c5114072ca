// DER, as far as one certificate has to be told from the next.
#pragma once

#include <vector>

#include "core/bytes.h"

namespace assay::agent {

struct DerLimits {
  std::size_t max_count;
  std::size_t max_bytes;  // of one
};

// The DER sequences that stand one after the other at the start of `bytes`; what follows the last
// whole one, or is over the limits, is left out. Nothing is looked into. Pure.
//
// ITU-T X.690, 8.1.3 (lengths).
std::vector<Bytes> split_der(ByteView bytes, const DerLimits& limits);

}  // namespace assay::agent
