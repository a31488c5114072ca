// A directory that stands for the root of a tree, whoever writes to it meanwhile.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "core/result.h"
#include "golden/posix.h"

namespace assay {

class TreeRoot {
 public:
  // Fails with kFileUnreadable.
  static Result<TreeRoot> open(const std::string& dir);

  dev_t device() const { return device_; }
  const std::string& dir() const { return dir_; }

  // Opens what `path`, without a leading slash, names in here; the empty path is the root. No
  // component is followed when it is a symbolic link, and ".." is for the caller to keep out. Not ok()
  // with errno set when there is none.
  Fd open_beneath(std::string_view path, int flags) const;

  // kFileUnreadable, with the name of the file as people know it.
  tl::unexpected<Fault> unreadable(std::string_view path, int error) const;

 private:
  TreeRoot(std::string dir, Fd root, dev_t device)
      : dir_(std::move(dir)), root_(std::move(root)), device_(device) {}

  std::string dir_;
  Fd root_;
  dev_t device_;
};

// What a name gives that went, or became something else, after it was listed.
bool gone(int error);

}  // namespace assay
