// Files as golden sets have them.
#pragma once

#include <string>
#include <utility>

#include "golden/set_file.h"
#include "tests/support/ima_builder.h"

namespace assay::testing {

inline GoldenFile file(std::string path, std::string_view content, std::uint32_t mode = 0644) {
  return {.path = std::move(path),
          .digests = {digest_of(content)},
          .size = content.size(),
          .mode = mode};
}

}  // namespace assay::testing
