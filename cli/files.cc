#include "cli/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/text.h"
#include "golden/posix.h"

namespace assay {
namespace {

constexpr std::size_t kFirstBufferBytes = std::size_t{64} << 10;

tl::unexpected<Fault> unreadable(const std::string& path, const std::string& why) {
  return fail(FaultId::kFileUnreadable, escape_bytes(path) + ": " + why);
}

tl::unexpected<Fault> unwritable(const std::string& path, const std::string& why) {
  return fail(FaultId::kFileUnwritable, escape_bytes(path) + ": cannot be written: " + why);
}

// Reads to the end, or one byte over `max_bytes`. `expected_bytes` only saves growing: the sizes of
// pipes and securityfs files say nothing.
Result<Bytes> read_all(const Fd& fd, const std::string& path, std::size_t max_bytes,
                       std::size_t expected_bytes) {
  Bytes out(std::min(std::max(kFirstBufferBytes, expected_bytes + 1), max_bytes + 1));
  std::size_t used = 0;
  while (used <= max_bytes) {
    if (used == out.size()) out.resize(std::min(out.size() * 2, max_bytes + 1));
    const ssize_t size = ::read(fd.get(), out.data() + used, out.size() - used);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return unreadable(path, errno_text());
    if (size == 0) break;
    used += static_cast<std::size_t>(size);
  }
  out.resize(used);
  return out;
}

bool write_all(const Fd& fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t size = ::write(fd.get(), content.data(), content.size());
    if (size < 0 && errno != EINTR) return false;
    if (size > 0) content.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

// fchmod() rather than mkostemp()'s 0600, and the umask is only read by setting it.
mode_t new_file_mode() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0644 & ~mask;
}

}  // namespace

Result<Bytes> read_file(const std::string& path, const ReadLimits& limits) {
  const int wait = limits.kind == FileKind::kRegular ? O_NONBLOCK : 0;
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | wait));
  struct stat status = {};
  if (!fd.ok() || ::fstat(fd.get(), &status) != 0) return unreadable(path, errno_text());
  if (limits.kind == FileKind::kRegular && !S_ISREG(status.st_mode)) {
    return unreadable(path, "not a regular file");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  ASSAY_TRY(Bytes out, read_all(fd, path, limits.max_bytes, size));
  if (out.size() > limits.max_bytes) {
    return fail(limits.too_large,
                escape_bytes(path) + ": over " + std::to_string(limits.max_bytes) + " bytes");
  }
  return out;
}

bool file_exists(const std::string& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0;
}

Status write_file(const std::string& path, std::string_view content) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    return unwritable(path, "it is there and no regular file");
  }
  std::string temporary = path + ".XXXXXX";
  const Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.ok()) return unwritable(path, errno_text());
  if (!write_all(fd, content) || ::fchmod(fd.get(), new_file_mode()) != 0 ||
      ::fsync(fd.get()) != 0 || std::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return unwritable(path, errno_text(error));
  }
  return {};
}

}  // namespace assay
