// The TPM's two key derivation functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/digest.h"

namespace assay {

// What a key is derived for: `label` without the zero byte that ends it, and the two contexts.
struct KdfUse {
  std::string_view label;
  ByteView u = {};
  ByteView v = {};
};

// KDFa: `bits`, a multiple of 8 and not 0, derived from a secret key. SP 800-108 in counter mode
// with HMAC: TPM 2.0 Library, Part 1, 11.4.10.2. Pure.
Bytes kdf_a(HashAlg alg, ByteView key, const KdfUse& use, std::uint32_t bits);

// KDFe: likewise from the x coordinate of a shared point; `u` and `v` are the parties' own x
// coordinates. SP 800-56A's single step: Part 1, 11.4.10.3. Pure.
Bytes kdf_e(HashAlg alg, ByteView shared_x, const KdfUse& use, std::uint32_t bits);

}  // namespace assay
