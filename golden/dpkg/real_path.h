// Where a path of a tree leads, as the tree's own root would see it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "golden/tree_root.h"

namespace assay {

class RealPaths {
 public:
  // Borrows `root`, which outlives this object.
  explicit RealPaths(const TreeRoot& root) : root_(root) {}

  // The path of what `path` names, without a leading slash: symbolic links in its directories are
  // followed inside the tree, absolute ones and ".." at its root as chroot(2) would have it, but the
  // last component is not. "/bin/sh" is "usr/bin/sh" where /bin is a link to usr/bin, which is how the
  // kernel logs it. Nothing when a directory of it is not there, is none, or is links in a circle.
  //
  //   path   untrusted; absolute, its last component neither empty, "." nor ".."
  //
  // Fails with kFileUnreadable for a directory that cannot be looked at, and kGoldenTooLarge when the
  // answer would be over kMaxSetPathBytes. Directories are looked at once.
  Result<std::optional<std::string>> resolve(std::string_view path);

 private:
  Result<std::optional<std::string>> directory(std::string_view path) const;

  const TreeRoot& root_;
  std::unordered_map<std::string, std::optional<std::string>> directories_;  // as listed, real
};

}  // namespace assay
