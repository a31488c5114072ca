#include "agent/boot_evidence.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "agent/fd.h"
#include "core/text.h"

namespace assay::agent {
namespace {

constexpr std::size_t kMaxCommandLineBytes = 4096;

// The file's content, or `max_bytes` and one byte of it; nothing of a file that is not there.
Result<Bytes> read_up_to(const std::string& path, std::uint64_t max_bytes) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return Bytes();
  Bytes out;
  std::array<std::uint8_t, 4096> part{};
  while (out.size() <= max_bytes) {
    const ssize_t got = fd ? ::read(fd.get(), part.data(), part.size()) : -1;
    if (got < 0 && fd && errno == EINTR) continue;
    if (got < 0) {
      return fail(FaultId::kFileUnreadable, escape_bytes(path) + ": " + std::strerror(errno));
    }
    if (got == 0) break;
    out.insert(out.end(), part.begin(), part.begin() + got);
  }
  return out;
}

}  // namespace

Result<Bytes> read_command_line(const std::string& path) {
  ASSAY_TRY(Bytes out, read_up_to(path, kMaxCommandLineBytes));
  out.resize(std::min(out.size(), kMaxCommandLineBytes));
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

Result<BootEvidence> read_boot_evidence(const BootEvidencePaths& paths,
                                        std::uint64_t max_log_bytes) {
  BootEvidence out;
  ASSAY_TRY(out.log, read_up_to(paths.log, max_log_bytes));
  if (out.log.size() > max_log_bytes) {
    return fail(FaultId::kEvidenceTooLarge, escape_bytes(paths.log) + " has over the " +
                                                std::to_string(max_log_bytes) +
                                                " bytes that the verifier takes");
  }
  ASSAY_TRY(out.command_line, read_command_line(paths.command_line));
  return out;
}

}  // namespace assay::agent
