// Golden sets from a directory tree: a mounted disk, an unpacked image, a machine's own root.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "golden/hash_files.h"
#include "golden/set_file.h"

namespace assay {

struct RootfsOptions {
  std::string dir;
  std::vector<HashAlg> algorithms = {HashAlg::kSha256};        // at least one, each once
  unsigned threads = 2;                                        // at least one
  std::function<void(const BuildProgress&)> on_progress = {};  // as HashOptions has it
};

struct RootfsFiles {
  std::vector<GoldenFile> files;                // as a set has them
  std::uint64_t special = 0;                    // left out: sockets, pipes and devices
  std::vector<std::string> pseudo_filesystems;  // left out: mounts of proc, sysfs and their like
  std::vector<std::string> changed;             // left out: went or changed while being read
};

// Hashes every regular file under `options.dir`, each read once for all algorithms. A file's path
// is "/" and its way from there, under each of its names when it has several (hard links), as IMA
// logs it. Symbolic links are neither followed nor listed, so nothing outside the directory is ever
// opened, whoever writes to the tree meanwhile. File systems mounted below it are part of it, except
// those that hold no files on any disk and that IMA's own policies leave out.
//
// What is left out is reported: an appraisal against the set will name it.
// Fails with kFileUnreadable for a file or directory that cannot be read, by name; kGoldenTooLarge
// over kMaxSetFiles, or for a path over kMaxSetPathBytes; kGoldenMalformed when there is no file.
//
// Memory: the table of files, and one buffer per thread.
Result<RootfsFiles> build_from_rootfs(const RootfsOptions& options);

}  // namespace assay
