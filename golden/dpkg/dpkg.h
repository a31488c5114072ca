// Golden sets from what dpkg has installed in a tree: the files of its packages, and no others.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "golden/hash_files.h"
#include "golden/set_file.h"

namespace assay {

inline constexpr std::size_t kMaxDpkgBytes = std::size_t{512} << 20;  // of the whole database

struct DpkgOptions {
  std::string dir;                                             // that has var/lib/dpkg
  std::vector<HashAlg> algorithms = {HashAlg::kSha256};        // at least one, each once
  unsigned threads = 2;                                        // at least one
  std::function<void(const BuildProgress&)> on_progress = {};  // as HashOptions has it
};

struct ChangedFile {
  GoldenFile file;
  std::string package;  // that it belongs to
};

struct DpkgFiles {
  std::vector<GoldenFile> files;  // as a set has them
  std::uint64_t packages = 0;     // whose files these are

  // Left out. Paths are real ones where their directory is there, as listed where it is not.
  std::vector<std::string> missing;  // listed as a file, and not there or no regular file
  std::vector<std::string> changed_while_read;  // went or changed while being read
  std::vector<std::string> half_installed;      // packages
  std::uint64_t special = 0;                    // sockets, pipes and devices

  // Not in `files` either: no configuration files, and not as their packages came with them. In order.
  std::vector<ChangedFile> changed;

  // In `files`, as they are.
  std::uint64_t changed_conffiles = 0;  // configuration files that are not as packaged
  std::uint64_t unchecked = 0;          // files of which the database has no sum
};

// Hashes every regular file that the list of an installed package has, where it really is: under the
// name that dpkg-divert(1) gave it, and with symbolic links in its directories followed inside the tree
// (after "usrmerge" the kernel logs /usr/bin/sh for /bin/sh). A file that is itself a symbolic link is
// not followed. Each file is compared with the MD5 sum that its package came with. A package that a
// distroless image has in var/lib/dpkg/status.d has those files that its sums there are of. Nothing
// outside the directory is ever opened, whoever writes to the tree meanwhile.
//
// Fails with, in this order:
//   kFileUnreadable   no directory, neither var/lib/dpkg/status nor status.d, or a file or directory
//                     that cannot be read
//   kGoldenMalformed  the database is not one that dpkg writes; an installed package has no list, or
//                     one of status.d neither list nor sums
//   kGoldenTooLarge   the database is over kMaxDpkgBytes or kMaxDpkgPackages, there are more than
//                     kMaxSetFiles files, or a path is over kMaxSetPathBytes
//   kConfigInvalid    this machine's OpenSSL has no MD5
//   kGoldenMalformed  no file
//
// The sums prove nothing: they stand beside the files. Whoever changed the one could change the other.
// Memory: the database of one package, and the table of files.
Result<DpkgFiles> build_from_dpkg(const DpkgOptions& options);

}  // namespace assay
