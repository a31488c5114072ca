// Hashing many files of a tree, each read once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "golden/md5.h"
#include "golden/set_file.h"
#include "golden/tree_root.h"

namespace assay {

struct BuildProgress {
  std::uint64_t files_done = 0;
  std::uint64_t files_total = 0;
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;  // as sizes stood when the tree was listed
};

enum class WithMd5 : std::uint8_t { kNo, kYes };

struct HashOptions {
  std::vector<HashAlg> algorithms;  // at least one, each once
  WithMd5 md5 = WithMd5::kNo;       // kYes only where Md5Hasher::available()
  unsigned threads = 1;             // at least one
  // Called after every file and every few MiB, from any thread, one call at a time.
  std::function<void(const BuildProgress&)> on_progress = {};
};

struct ListedFile {
  std::string path;  // from the root, without a leading slash; no component is "..", "." or empty
  std::uint64_t bytes = 0;
};

struct HashedFile {
  GoldenFile golden;  // its path is "/" and the listed one; with owner and kind, and no layer
  Md5 md5 = {};       // zero without WithMd5::kYes
};

struct HashedFiles {
  std::vector<HashedFile> files;  // in no order
  std::vector<std::string>
      changed;  // with a slash: went or changed while being read, or no regular file
};

// Hashes `files`. No symbolic link is followed. Fails with kFileUnreadable for a file that cannot be
// read, by name. Memory: the table of files, and one buffer per thread.
Result<HashedFiles> hash_files(const TreeRoot& root, const HashOptions& options,
                               const std::vector<ListedFile>& files);

}  // namespace assay
