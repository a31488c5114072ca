// No bytes that CI can push may crash the parser, and a set that it accepts is written and read
// again as the same set.
#include "core/bytes.h"
#include "golden/set_file.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto set = assay::parse_golden_set({data, size});
  if (!set) return 0;
  const std::string file = assay::format_golden_set(*set);
  const auto again = assay::parse_golden_set(assay::as_bytes(file));
  FUZZ_CHECK(again && *again == *set);
  return 0;
}
