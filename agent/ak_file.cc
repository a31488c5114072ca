#include "agent/ak_file.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "agent/fd.h"
#include "core/text.h"

namespace assay::agent {
namespace {

constexpr int kStandardOutput = 1;
constexpr mode_t kMode = 0644;  // a public key

tl::unexpected<Fault> unwritable(const std::filesystem::path& to) {
  return fail(FaultId::kFileUnwritable, escape_bytes(to.string()) + ": " + std::strerror(errno) +
                                            ": name a file in a folder that can be written");
}

bool write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Status write_ak(const std::filesystem::path& to, ByteView ak_public) {
  if (to == "-") {
    if (!write_all(kStandardOutput, ak_public)) return unwritable(to);
    return {};
  }
  std::filesystem::path part = to;
  part += ".part";
  const Fd fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
  if (!fd) return unwritable(to);
  if (!write_all(fd.get(), ak_public) || ::fsync(fd.get()) != 0 ||
      std::rename(part.c_str(), to.c_str()) != 0) {
    const auto failed = unwritable(to);
    (void)std::remove(part.c_str());
    return failed;
  }
  return {};
}

}  // namespace assay::agent
