#include "golden/tree_root.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/text.h"

namespace assay {

Result<TreeRoot> TreeRoot::open(const std::string& dir) {
  Fd root(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat st = {};
  if (!root.ok() || ::fstat(root.get(), &st) != 0) {
    return fail(FaultId::kFileUnreadable, escape_bytes(dir) + ": " + errno_text());
  }
  return TreeRoot(dir, std::move(root), st.st_dev);
}

Fd TreeRoot::open_beneath(std::string_view path, int flags) const {
  Fd at(::openat(root_.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  while (at.ok()) {
    const std::size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    if (slash == std::string_view::npos) {
      return Fd(
          ::openat(at.get(), name.empty() ? "." : name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
    }
    at = Fd(::openat(at.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    path.remove_prefix(slash + 1);
  }
  return at;
}

tl::unexpected<Fault> TreeRoot::unreadable(std::string_view path, int error) const {
  return fail(FaultId::kFileUnreadable,
              escape_bytes(dir_ + "/" + std::string(path)) + ": " + errno_text(error));
}

bool gone(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENXIO;
}

}  // namespace assay
