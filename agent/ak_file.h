// The attestation key as a file, for `assay node enrol NAME --ak FILE`.
#pragma once

#include <filesystem>

#include "core/bytes.h"
#include "core/result.h"

namespace assay::agent {

// Writes `ak_public` to `to`, or to standard output when that is "-". A file appears whole or not at
// all.
// Fails with kFileUnwritable.
Status write_ak(const std::filesystem::path& to, ByteView ak_public);

}  // namespace assay::agent
