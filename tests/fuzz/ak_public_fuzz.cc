// No bytes that claim to be a key may crash the parser, and a key that it accepts stays the same
// key.
#include "core/ak_public.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto ak = assay::parse_ak_public({data, size});
  if (!ak) return 0;
  const auto again = assay::parse_ak_public(ak->encoded());
  FUZZ_CHECK(again && again->fingerprint() == ak->fingerprint());
  FUZZ_CHECK(ak->encoded().size() == size);
  return 0;
}
