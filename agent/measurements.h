// The kernel's measurement log, as bytes. Nothing here knows what they mean.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/fd.h"
#include "core/bytes.h"
#include "core/ima_log.h"
#include "core/result.h"

namespace assay::agent {

// The form in which this machine's kernel writes the log at `log_path`: its integers are the CPU's,
// or little-endian with "ima_canonical_fmt" on `command_line`; its digests are those that the file's
// name ends with ("…_sha256"), else SHA-1. Pure but for the CPU's byte order.
//
// Linux security/integrity/ima/ima_fs.c ima_canonical_fmt, create_securityfs_measurement_lists().
ImaLogForm log_form(std::string_view log_path, std::string_view command_line);

// The log and its length, held open. For one thread.
//
// Linux security/integrity/ima/ima_fs.c: binary_runtime_measurements is a seq_file, which goes on
// where the last read ended without formatting earlier records again; any other offset costs the
// kernel a walk over the log.
class Measurements {
 public:
  // Fails with
  //   kKernelWithoutIma  a file is not there, or holds no count
  //   kFileUnreadable    it is there and cannot be read
  static Result<Measurements> open(const std::string& log_path, const std::string& count_path);

  // How many entries the log has. Read before a quote, it is at most what the quote's log holds.
  // Fails as open().
  Result<std::uint64_t> count() const;

  // The bytes of the log from `offset` on, at most `size` of them: fewer only where the log ends,
  // none from its end on.
  // Fails with kFileUnreadable.
  Result<Bytes> read(std::uint64_t offset, std::size_t size) const;

 private:
  Measurements(std::string log_path, Fd log, std::string count_path, Fd count)
      : log_path_(std::move(log_path)),
        log_(std::move(log)),
        count_path_(std::move(count_path)),
        count_(std::move(count)) {}

  std::string log_path_;
  Fd log_;
  std::string count_path_;
  Fd count_;
};

}  // namespace assay::agent
