#include "cli/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>

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

struct OpenFile {
  Fd fd;
  std::size_t expected_bytes = 0;  // a hint: the sizes of pipes and securityfs files say nothing
};

Result<OpenFile> open_file(const std::string& path, FileKind kind) {
  const int wait = kind == FileKind::kRegular ? O_NONBLOCK : 0;
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | wait));
  struct stat status = {};
  if (!fd.ok() || ::fstat(fd.get(), &status) != 0) return unreadable(path, errno_text());
  if (kind == FileKind::kRegular && !S_ISREG(status.st_mode)) {
    return unreadable(path, "not a regular file");
  }
  return OpenFile{.fd = std::move(fd), .expected_bytes = static_cast<std::size_t>(status.st_size)};
}

tl::unexpected<Fault> too_large(const std::string& path, const ReadLimits& limits) {
  return fail(limits.too_large,
              escape_bytes(path) + ": over " + std::to_string(limits.max_bytes) + " bytes");
}

// What one read() gives into `part`: nothing at the end.
Result<ByteView> read_part(const Fd& fd, const std::string& path, std::span<std::uint8_t> part) {
  while (true) {
    const ssize_t size = ::read(fd.get(), part.data(), part.size());
    if (size >= 0) return part.first(static_cast<std::size_t>(size));
    if (errno != EINTR) return unreadable(path, errno_text());
  }
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
  ASSAY_TRY(const OpenFile file, open_file(path, limits.kind));
  const std::size_t most = limits.max_bytes + 1;
  Bytes out(std::min(std::max(kFirstBufferBytes, file.expected_bytes + 1), most));
  std::size_t used = 0;
  while (used < most) {
    if (used == out.size()) out.resize(std::min(out.size() * 2, most));
    ASSAY_TRY(const ByteView part, read_part(file.fd, path, std::span(out).subspan(used)));
    if (part.empty()) break;
    used += part.size();
  }
  if (used == most) return too_large(path, limits);
  out.resize(used);
  return out;
}

Result<Spool> read_large_file(const std::string& path, const ReadLimits& limits) {
  ASSAY_TRY(const OpenFile file, open_file(path, limits.kind));
  std::error_code missing;
  const auto folder = std::filesystem::temp_directory_path(missing);
  Spool out(missing ? "/tmp" : folder.string());
  Bytes buffer(kFirstBufferBytes);
  while (true) {
    ASSAY_TRY(const ByteView part, read_part(file.fd, path, buffer));
    if (part.empty()) return out;
    if (part.size() > limits.max_bytes - out.size()) return too_large(path, limits);
    ASSAY_OK(out.append(part));
  }
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
