#include "agent/pod_claims.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "agent/fd.h"
#include "core/text.h"

namespace assay::agent {
namespace {

constexpr std::size_t kMaxUidBytes = 36;
constexpr std::size_t kMaxFolders = 16'384;  // a node has some hundred
constexpr const char* kMappingFile = "userns";

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

bool is_pod_uid(std::string_view name) {
  return name.size() <= kMaxUidBytes && std::ranges::all_of(name, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
         });
}

Fault unreadable(const std::string& path, int error) {
  return {.id = FaultId::kFileUnreadable,
          .detail = escape_bytes(path) + ": " + std::strerror(error)};
}

// The names that a pod can have, at most kMaxFolders and one.
Result<std::vector<std::string>> pod_uids(DIR* dir, const std::string& folder) {
  std::vector<std::string> out;
  while (out.size() <= kMaxFolders) {
    errno = 0;
    const dirent* entry = ::readdir(dir);
    if (entry == nullptr) break;
    if (is_pod_uid(entry->d_name)) out.emplace_back(entry->d_name);
  }
  if (errno != 0) return tl::unexpected(unreadable(folder, errno));
  std::ranges::sort(out);
  return out;
}

// A pod's mapping; nothing when it has none.
Result<std::optional<Bytes>> read_mapping(int folder, const std::string& uid) {
  const Fd pod(::openat(folder, uid.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const Fd file(pod ? ::openat(pod.get(), kMappingFile,
                               O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
                    : -1);
  if (!file && errno == ENOENT) return std::nullopt;
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return tl::unexpected(unreadable(uid, errno));
  if (!S_ISREG(status.st_mode)) return tl::unexpected(unreadable(uid, EINVAL));
  Bytes out(kMaxMappingBytes + 1);
  std::size_t have = 0;
  while (have < out.size()) {
    const ssize_t got = ::read(file.get(), out.data() + have, out.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(unreadable(uid, errno));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  if (have > kMaxMappingBytes) return tl::unexpected(unreadable(uid, EFBIG));
  out.resize(have);
  return out;
}

}  // namespace

Result<PodFolders> read_pod_claims(const std::string& folder) {
  Fd opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, CloseDir> dir(opened ? ::fdopendir(opened.get()) : nullptr);
  if (dir == nullptr) return tl::unexpected(unreadable(folder, errno));
  const int number = opened.release();  // closedir() closes it
  ASSAY_TRY(std::vector<std::string> uids, pod_uids(dir.get(), folder));
  PodFolders out;
  out.claims.incomplete = uids.size() > kMaxFolders;
  std::size_t bytes = 0;
  for (std::string& uid : uids) {
    auto mapping = read_mapping(number, uid);
    if (!mapping) ++out.unreadable;
    if (!mapping || !*mapping) continue;
    bytes += uid.size() + (*mapping)->size();
    if (out.claims.pods.size() == kMaxClaimedPods || bytes > kMaxPodClaimsBytes) {
      out.claims.incomplete = true;
      break;
    }
    out.claims.pods.push_back({.pod_uid = std::move(uid), .mapping = **std::move(mapping)});
  }
  return out;
}

}  // namespace assay::agent
