// The files of dpkg's database, read as untrusted bytes. dpkg(1), deb822(5), dpkg-divert(1), deb-md5sums(5).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "golden/md5.h"

namespace assay {

inline constexpr std::size_t kMaxDpkgPackages = 200'000;  // Debian 12 has 64,000

// What of a package is in the file system.
enum class PackageState : std::uint8_t {
  kAbsent,  // nothing, or configuration files alone
  kPartly,  // an installation that was not finished
  kThere,   // all files, configured or not
};

struct DpkgPackage {
  std::string name;          // letters, digits and "+-."; a digit or letter first
  std::string architecture;  // letters, digits and "-"; empty when it is not said
  PackageState state = PackageState::kAbsent;
  // By absolute path: the MD5 of the package's own version, where it is known.
  std::map<std::string, std::optional<Md5>, std::less<>> conffiles;
  std::string status_d = {};  // its file's name there; empty: it is of `status`
};

// var/lib/dpkg/status. Fields that say nothing of files are passed over. Fails with
//   kGoldenTooLarge    over kMaxDpkgPackages
//   kGoldenMalformed  a line that is neither field nor continuation, a stanza without Package or
//                      Status, either of them twice, or a name, architecture or state that dpkg does not
//                      write. The detail says which line.
// Pure, as are all below.
Result<std::vector<DpkgPackage>> parse_dpkg_status(ByteView status);

// A file of var/lib/dpkg/status.d, which distroless images have in the place of `status`: one package's
// stanza, there without a Status when it does not say one. Fails as parse_dpkg_status(), and with
// kGoldenMalformed for none or several.
Result<DpkgPackage> parse_dpkg_status_d(ByteView file);

// info/PACKAGE.list: absolute paths, one a line, in the file's order and without "/.". They borrow from
// `list`. Fails with kGoldenMalformed for a path that is not absolute, is over kMaxSetPathBytes, or has
// a NUL or a component that is empty, "." or "..".
Result<std::vector<std::string_view>> parse_dpkg_list(ByteView list);

// info/PACKAGE.md5sums, by path without a leading slash. Paths borrow from `sums`. Of a path that is
// there twice, the last counts. Fails with kGoldenMalformed for a line that is no sum.
Result<std::map<std::string_view, Md5>> parse_dpkg_md5sums(ByteView sums);

// The absolute paths of the files that sums are of. Fails with kGoldenMalformed for one that
// parse_dpkg_list() would refuse.
Result<std::vector<std::string>> paths_of_dpkg_md5sums(const std::map<std::string_view, Md5>& sums);

struct DpkgDiversion {
  std::string to;
  std::string by;  // the package whose file keeps the name; ":" when it is no package
};

// var/lib/dpkg/diversions, by the absolute path that is diverted. Fails with kGoldenMalformed for
// what is not three lines each, or for paths that parse_dpkg_list() would refuse.
using DpkgDiversions = std::map<std::string, DpkgDiversion, std::less<>>;
Result<DpkgDiversions> parse_dpkg_diversions(ByteView diversions);

// Where the file is that `package` calls `path`.
std::string_view diverted(const DpkgDiversions& diversions, std::string_view package,
                          std::string_view path);

}  // namespace assay
