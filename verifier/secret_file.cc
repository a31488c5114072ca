#include "verifier/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace assay {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{64} << 10;

enum class Readers { kOwnerOnly, kAnyone };

// An open file, closed at the end of its scope.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<Fault> unreadable(const std::filesystem::path& path, std::string_view why) {
  return fail(FaultId::kFileUnreadable, path.string() + ": " + std::string(why));
}

std::string errno_text() {
  return std::generic_category().message(errno);
}

Result<std::string> read_file(const std::filesystem::path& path, Readers readers) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (file.get() < 0 || fstat(file.get(), &status) != 0) return unreadable(path, errno_text());
  if (!S_ISREG(status.st_mode)) return unreadable(path, "is not a regular file");
  if (readers == Readers::kOwnerOnly && (status.st_mode & 077) != 0) {
    return unreadable(path, "others than its owner may read it; run `chmod 600` on it");
  }
  std::string out;
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t got = read(file.get(), buffer.data(), buffer.size());
    if (got < 0) return unreadable(path, errno_text());
    if (got == 0) break;
    out.append(buffer.data(), static_cast<std::size_t>(got));
    if (out.size() > kMaxFileBytes) return unreadable(path, "is over 64 KiB");
  }
  return out;
}

std::string without_line_break(std::string text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace

Result<std::string> read_secret_file(const std::filesystem::path& path) {
  return read_file(path, Readers::kOwnerOnly).map(without_line_break);
}

Result<std::string> read_public_file(const std::filesystem::path& path) {
  return read_file(path, Readers::kAnyone).map(without_line_break);
}

Result<Bytes> read_public_bytes(const std::filesystem::path& path) {
  ASSAY_TRY(const std::string content, read_file(path, Readers::kAnyone));
  const ByteView bytes = as_bytes(content);
  return Bytes(bytes.begin(), bytes.end());
}

}  // namespace assay
