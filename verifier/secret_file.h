// Files that hold secrets.
#pragma once

#include <filesystem>
#include <string>

#include "core/bytes.h"
#include "core/result.h"

namespace assay {

// The content without the line break at its end. At most 64 KiB.
// Fails with kFileUnreadable when the file cannot be read, is larger, or may be read by others than
// its owner: a secret that others can read is none.
Result<std::string> read_secret_file(const std::filesystem::path& path);

// Likewise for a file that is no secret, such as a certificate.
Result<std::string> read_public_file(const std::filesystem::path& path);

// Likewise, byte for byte.
Result<Bytes> read_public_bytes(const std::filesystem::path& path);

}  // namespace assay
