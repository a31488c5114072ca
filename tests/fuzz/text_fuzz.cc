// Escaping loses nothing and lets nothing through, whatever a file is called.
#include <algorithm>

#include "core/bytes.h"
#include "core/text.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  size = std::min<std::size_t>(size, 512);  // longer names only make the run slower
  const std::string_view text = assay::as_text({data, size});
  const std::string escaped = assay::escape_bytes(text);
  FUZZ_CHECK(assay::unescape_bytes(escaped) == text);
  for (const char c : escaped) FUZZ_CHECK(c != '\x7f' && (c < 0 || c >= ' '));
  // Only the backslashes of escaped text are escaped again.
  FUZZ_CHECK(assay::unescape_bytes(assay::escape_bytes(escaped)) == escaped);
  FUZZ_CHECK(assay::shorten(escaped, size / 2 + 3).size() <= size / 2 + 3);
  (void)assay::unescape_bytes(text);

  FUZZ_CHECK(assay::from_hex(assay::to_hex({data, size})) == assay::Bytes(data, data + size));
  FUZZ_CHECK(assay::from_base64(assay::to_base64({data, size})) == assay::Bytes(data, data + size));
  if (const auto bytes = assay::from_base64(text)) {
    // Another text may decode to these bytes, with bits set that padding leaves unused.
    FUZZ_CHECK(assay::from_base64(assay::to_base64(*bytes)) == bytes);
  }
  return 0;
}
