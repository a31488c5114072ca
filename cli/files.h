// Files that people name on the command line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/result.h"
#include "golden/spool.h"

namespace assay {

enum class FileKind : std::uint8_t {
  kAny,      // a pipe or /dev/stdin as well: reading may wait for its writer
  kRegular,  // for names in a directory that someone else has filled
};

struct ReadLimits {
  std::size_t max_bytes;
  FaultId too_large;  // what a larger file is
  FileKind kind = FileKind::kAny;
};

// The whole file. Fails with kFileUnreadable, or `limits.too_large`.
Result<Bytes> read_file(const std::string& path, const ReadLimits& limits);

// The same for a file that may be large: what is over Spool::kMaxInMemory waits on disk, in $TMPDIR
// or /tmp. Fails as read_file() and Spool do.
Result<Spool> read_large_file(const std::string& path, const ReadLimits& limits);

// Whether there is something of this name.
bool file_exists(const std::string& path);

// Makes `path` hold `content`, or leaves it as it was: the content goes to a new file beside it,
// onto the disk, and then takes the name. Mode 0644 less the umask; a symbolic link is replaced.
// Fails with kFileUnwritable.
Status write_file(const std::string& path, std::string_view content);

}  // namespace assay
