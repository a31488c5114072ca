// What the kernel has of the boot: the firmware's event log and the command line.
#pragma once

#include <cstdint>
#include <string>

#include "core/bytes.h"
#include "core/result.h"

namespace assay::agent {

struct BootEvidence {
  Bytes log;           // binary_bios_measurements; empty: the kernel has none
  Bytes command_line;  // /proc/cmdline without its line break, at most 4 KiB
};

struct BootEvidencePaths {
  std::string log = {};
  std::string command_line = {};
};

// The kernel's command line, without its newline, at most 4 KiB of it; nothing when the file is not
// there. Fails with kFileUnreadable.
Result<Bytes> read_command_line(const std::string& path);

// Reads both. Neither changes after the boot, and each may be missing.
// Fails with kFileUnreadable for one that is there and cannot be read, and kEvidenceTooLarge for a log
// over `max_log_bytes`.
Result<BootEvidence> read_boot_evidence(const BootEvidencePaths& paths,
                                        std::uint64_t max_log_bytes);

}  // namespace assay::agent
