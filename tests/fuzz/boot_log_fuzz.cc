// No bytes a node can send may crash the parser or make it read out of bounds.
#include "core/boot_log.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)assay::parse_boot_log({data, size});
  return 0;
}
