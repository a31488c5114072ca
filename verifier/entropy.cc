#include "verifier/entropy.h"

#include <sys/random.h>

#include "core/result.h"

namespace assay {

void fill_random(std::span<std::uint8_t> out) {
  // getrandom() gives up to 256 bytes at once, or fails before the kernel's generator is ready.
  ASSAY_CHECK(getrandom(out.data(), out.size(), 0) == static_cast<ssize_t>(out.size()));
}

}  // namespace assay
