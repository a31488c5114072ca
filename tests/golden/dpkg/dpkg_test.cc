#include "golden/dpkg/dpkg.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "tests/support/dpkg_root.h"
#include "tests/support/fault_of.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;
namespace fs = std::filesystem;

namespace {

DpkgFiles build(const DpkgRoot& root) {
  auto got = build_from_dpkg({.dir = root.path()});
  if (!got) MESSAGE(got.error().detail);
  REQUIRE(got.has_value());
  return *std::move(got);
}

std::vector<std::string> paths(const DpkgFiles& got) {
  std::vector<std::string> out;
  for (const GoldenFile& file : got.files) out.push_back(file.path);
  return out;
}

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("build_from_dpkg: has the files of installed packages, and no others") {
  const DpkgRoot root;
  root.package("tool", {{"/usr/bin/tool", "t"}, {"/usr/share/tool/data", "d"}});
  root.package("lib", {{"/usr/lib/lib.so.1", "l"}});
  root.file("/usr/bin/stranger", "s");
  root.file("/usr/bin/rest", "r");
  root.stanza("removed", "", "deinstall ok config-files");
  root.add("info/removed.list", "/usr/bin/rest\n");
  ::chmod((root / "usr/bin/tool").c_str(), 04755);

  const DpkgFiles got = build(root);
  CHECK(paths(got) == Paths{"/usr/bin/tool", "/usr/lib/lib.so.1", "/usr/share/tool/data"});
  CHECK(got.packages == 2);
  CHECK(got.files[0].digests == std::vector<Digest>{digest_of("t")});
  CHECK(got.files[0].mode == 04755);
  CHECK(got.files[0].size == 1);
  CHECK(got.missing.empty());
  CHECK(got.changed.empty());
  CHECK(got.unchecked == 0);
}

TEST_CASE("build_from_dpkg: takes owner and kind") {
  const DpkgRoot root;
  root.package("p", {{"/usr/bin/script", "#!/bin/sh\n"},
                     {"/usr/bin/tool",
                      "\x7f"
                      "ELF"}});
  const fs::path tool = root / "usr/bin/tool";
  // Who is not root has files of one owner only.
  if (::geteuid() == 0) REQUIRE(::chown(tool.c_str(), 12345, 54321) == 0);
  struct stat st = {};
  REQUIRE(::stat(tool.c_str(), &st) == 0);
  const DpkgFiles got = build(root);
  REQUIRE(got.files.size() == 2);
  CHECK(got.files[0].kind == ContentKind::kScript);
  CHECK(got.files[1].kind == ContentKind::kElf);
  CHECK(got.files[1].uid == st.st_uid);
  CHECK(got.files[1].gid == st.st_gid);
  CHECK_FALSE(got.files[1].layer);
}

TEST_CASE("build_from_dpkg: takes several digests, and reports progress to the end") {
  const DpkgRoot root;
  root.package("p", {{"/a", "a"}, {"/b", "b"}});
  BuildProgress last;
  const auto got = build_from_dpkg({.dir = root.path(),
                                    .algorithms = {HashAlg::kSha512, HashAlg::kSha1},
                                    .on_progress = [&](const BuildProgress& p) { last = p; }});
  REQUIRE(got.has_value());
  CHECK(got->files[0].digests ==
        std::vector{hash(HashAlg::kSha1, as_bytes("a")), hash(HashAlg::kSha512, as_bytes("a"))});
  CHECK(last.files_done == 2);
  CHECK(last.files_total == 2);
}

TEST_CASE("build_from_dpkg: paths are those that the kernel logs after usrmerge") {
  const DpkgRoot root;
  fs::create_directories(root / "usr/bin");
  fs::create_symlink("usr/bin", root / "bin");
  root.package("dash", {{"/bin/dash", "dash"}});
  root.package("other", {{"/usr/bin/dash2", "x"}});
  CHECK(paths(build(root)) == Paths{"/usr/bin/dash", "/usr/bin/dash2"});
}

TEST_CASE(
    "build_from_dpkg: a diverted file is where the diversion put it, another's has its name") {
  const DpkgRoot root;
  root.package("coreutils", {{"/usr/bin/perf", "diverted"}});
  fs::rename(root / "usr/bin/perf", root / "usr/bin/perf.real");
  root.package("linux-perf", {{"/usr/bin/perf", "diverting"}});
  root.add("diversions", "/usr/bin/perf\n/usr/bin/perf.real\nlinux-perf\n");
  const DpkgFiles got = build(root);
  REQUIRE(paths(got) == Paths{"/usr/bin/perf", "/usr/bin/perf.real"});
  CHECK(got.files[0].digests[0] == digest_of("diverting"));
  CHECK(got.files[1].digests[0] == digest_of("diverted"));
}

TEST_CASE("build_from_dpkg: directories, links and what is no file are no files") {
  const DpkgRoot root;
  root.package("p", {{"/usr/bin/tool", "t"}});
  fs::create_symlink("tool", root / "usr/bin/link");
  fs::create_symlink("/etc/passwd", root / "usr/bin/out");
  REQUIRE(::mkfifo((root / "usr/bin/pipe").c_str(), 0600) == 0);
  root.add("info/p.list", "/usr\n/usr/bin\n/usr/bin/link\n/usr/bin/out\n/usr/bin/pipe\n");
  const DpkgFiles got = build(root);
  CHECK(paths(got) == Paths{"/usr/bin/tool"});
  CHECK(got.special == 1);
  CHECK(got.missing.empty());
}

TEST_CASE("build_from_dpkg: no link in the tree leads out of it") {
  const TempDir outside;
  outside.write("tool", "t");
  const DpkgRoot root;
  root.package("p", {{"/usr/bin/tool", "t"}, {"/sbin/tool", "t"}});
  fs::remove_all(root / "sbin");
  fs::create_symlink(outside.path(), root / "sbin");
  const DpkgFiles got = build(root);
  CHECK(paths(got) == Paths{"/usr/bin/tool"});
  CHECK(got.missing == Paths{"/sbin/tool"});
}

TEST_CASE("build_from_dpkg: files that are not there are named, directories and links are not") {
  const DpkgRoot root;
  root.package(
      "p", {{"/usr/bin/tool", "t"}, {"/usr/share/doc/p/copyright", "c"}, {"/usr/share/link", "l"}});
  fs::remove_all(root / "usr/share");
  fs::create_directories(root / "usr/share");
  fs::create_symlink("/usr/bin/tool", root / "usr/share/link");
  root.add("info/p.list", "/usr/share/doc\n/usr/share/doc/p\n");
  CHECK(build(root).missing == Paths{"/usr/share/doc/p/copyright", "/usr/share/link"});

  // Without sums nothing says what is a file.
  fs::remove(root / "var/lib/dpkg/info/p.md5sums");
  const DpkgFiles got = build(root);
  CHECK(got.missing == Paths{"/usr/share/doc", "/usr/share/doc/p", "/usr/share/doc/p/copyright"});
  CHECK(got.unchecked == 1);
}

TEST_CASE("build_from_dpkg: files that are not as packaged stand apart, each with its package") {
  const DpkgRoot root;
  root.package("p", {{"/usr/bin/a", "a"}, {"/usr/bin/b", "b"}});
  root.package("q", {{"/usr/bin/c", "c"}});
  root.file("/usr/bin/b", "trojan");
  root.file("/usr/bin/c", "horse");
  const DpkgFiles got = build(root);
  CHECK(paths(got) == Paths{"/usr/bin/a"});
  REQUIRE(got.changed.size() == 2);
  CHECK(got.changed[0].file.path == "/usr/bin/b");
  CHECK(got.changed[0].file.digests[0] == digest_of("trojan"));
  CHECK(got.changed[0].package == "p");
  CHECK(got.changed[1].file.path == "/usr/bin/c");
  CHECK(got.changed[1].package == "q");
}

TEST_CASE("build_from_dpkg: configuration files may be changed, and are counted when they are") {
  const DpkgRoot root;
  const auto sum = [](std::string_view content) { return md5_hex(content); };
  root.stanza("p", "Conffiles:\n /etc/changed " + sum("old") + "\n /etc/same " + sum("same") +
                       "\n /etc/new newconffile\n /etc/gone " + sum("x") + "\n");
  root.add("info/p.list", "/etc\n/etc/changed\n/etc/same\n/etc/new\n/etc/gone\n");
  root.add("info/p.md5sums", sum("old") + "  etc/changed\n");
  root.file("/etc/changed", "mine");
  root.file("/etc/same", "same");
  root.file("/etc/new", "new");
  const DpkgFiles got = build(root);
  CHECK(paths(got) == Paths{"/etc/changed", "/etc/new", "/etc/same"});
  CHECK(got.files[0].digests[0] == digest_of("mine"));
  CHECK(got.changed_conffiles == 1);
  CHECK(got.unchecked == 1);
  CHECK(got.missing == Paths{"/etc/gone"});
}

TEST_CASE(
    "build_from_dpkg: a file that several packages have is there once, as one of them has it") {
  const DpkgRoot root;
  fs::create_directories(root / "usr/lib");
  fs::create_symlink("usr/lib", root / "lib");
  root.package("old", {{"/lib/x", "old"}});
  root.package("new", {{"/usr/lib/x", "new"}});
  const DpkgFiles got = build(root);
  CHECK(paths(got) == Paths{"/usr/lib/x"});
  root.file("/usr/lib/x", "neither");
  CHECK(build(root).changed.size() == 1);
}

TEST_CASE("build_from_dpkg: packages of several architectures have lists of their own") {
  const DpkgRoot root;
  for (const std::string arch : {"amd64", "i386"}) {
    const std::string path = "/usr/lib/" + arch + "/libc.so";
    root.add("status",
             "Package: libc6\nStatus: install ok installed\nMulti-Arch: same\n"
             "Architecture: " +
                 arch + "\n\n");
    root.file(path, arch);
    root.add("info/libc6:" + arch + ".list", path + "\n");
    root.add("info/libc6:" + arch + ".md5sums", md5_hex(arch) + "  " + path.substr(1) + "\n");
  }
  const DpkgFiles got = build(root);
  CHECK(paths(got) == Paths{"/usr/lib/amd64/libc.so", "/usr/lib/i386/libc.so"});
  CHECK(got.packages == 2);
}

TEST_CASE("build_from_dpkg: a package that is half installed is left out by name") {
  const DpkgRoot root;
  root.package("p", {{"/a", "a"}});
  root.stanza("half", "", "install reinstreq half-installed");
  CHECK(build(root).half_installed == Paths{"half"});
}

TEST_CASE("build_from_dpkg: a distroless image's packages have the files of their sums") {
  const DpkgRoot root;
  fs::remove(root / "var/lib/dpkg/status");
  fs::create_directories(root / "usr/lib");
  fs::create_symlink("usr/lib", root / "lib");
  root.status_d("libc6", {{"/lib/libc.so.6", "c"}, {"/usr/share/doc/libc6/copyright", "d"}});
  root.status_d("tzdata", {{"/usr/share/zoneinfo/UTC", "u"}});
  root.status_d("meta", {});
  root.file("/usr/lib/stranger", "s");
  root.file("/usr/share/zoneinfo/UTC", "changed");
  fs::remove_all(root / "usr/share/doc");
  const DpkgFiles got = build(root);
  CHECK(paths(got) == Paths{"/usr/lib/libc.so.6"});
  CHECK(got.packages == 3);
  CHECK(got.missing == Paths{"/usr/share/doc/libc6/copyright"});
  REQUIRE(got.changed.size() == 1);
  CHECK(got.changed[0].file.path == "/usr/share/zoneinfo/UTC");
  CHECK(got.changed[0].package == "tzdata");
  CHECK(got.unchecked == 0);
}

TEST_CASE(
    "build_from_dpkg: status and status.d are one database, and a list is taken before sums") {
  const DpkgRoot root;
  root.package("p", {{"/a", "a"}});
  root.status_d("q", {{"/b", "b"}});
  root.add("info/q.list", "/b\n/c\n");
  root.file("/c", "c");
  root.file("/var/lib/dpkg/status.d/gone", "Package: gone\nStatus: deinstall ok config-files\n");
  const DpkgFiles got = build(root);
  CHECK(paths(got) == Paths{"/a", "/b", "/c"});
  CHECK(got.packages == 2);
  CHECK(got.unchecked == 1);
}

TEST_CASE("build_from_dpkg: what is no package database is refused, by name and reason") {
  struct Row {
    std::string name;
    std::function<void(const DpkgRoot&)> damage;
    FaultId want;
    std::string says;
  };
  const std::string database = "var/lib/dpkg/";
  const Row rows[] = {
      {"no status", [&](const DpkgRoot& r) { fs::remove(r / (database + "status")); },
       FaultId::kFileUnreadable, "var/lib/dpkg/status: No such file"},
      {"a status that is a pipe",
       [&](const DpkgRoot& r) {
         fs::remove(r / (database + "status"));
         REQUIRE(::mkfifo((r / (database + "status")).c_str(), 0600) == 0);
       },
       FaultId::kFileUnreadable, "not a regular file"},
      {"a status that is a link",
       [&](const DpkgRoot& r) {
         fs::rename(r / (database + "status"), r / "status");
         fs::create_symlink("/status", r / (database + "status"));
       },
       FaultId::kFileUnreadable, "symbolic link"},
      {"a bad status", [](const DpkgRoot& r) { r.add("status", "x\n"); }, FaultId::kGoldenMalformed,
       "status: line"},
      {"bad diversions", [](const DpkgRoot& r) { r.add("diversions", "x\n"); },
       FaultId::kGoldenMalformed, "diversions: line 1"},
      {"a bad list", [](const DpkgRoot& r) { r.add("info/p.list", "x\n"); },
       FaultId::kGoldenMalformed, "p.list: line 3"},
      {"bad sums", [](const DpkgRoot& r) { r.add("info/p.md5sums", "x\n"); },
       FaultId::kGoldenMalformed, "p.md5sums: line 2"},
      {"no list", [](const DpkgRoot& r) { r.stanza("listless"); }, FaultId::kGoldenMalformed,
       "package listless is installed and has no list"},
      {"no list, but sums", [&](const DpkgRoot& r) { fs::remove(r / (database + "info/p.list")); },
       FaultId::kGoldenMalformed, "package p is installed and has no list"},
      {"neither list nor sums",
       [](const DpkgRoot& r) { r.file("/var/lib/dpkg/status.d/old", "Package: old\n"); },
       FaultId::kGoldenMalformed, "package old is installed and has no list"},
      {"a bad stanza in status.d",
       [](const DpkgRoot& r) { r.file("/var/lib/dpkg/status.d/q", "Package: p\n\nPackage: q\n"); },
       FaultId::kGoldenMalformed, "status.d/q: 2 packages, not one"},
      {"a directory in status.d",
       [](const DpkgRoot& r) { r.file("/var/lib/dpkg/status.d/q/x", ""); },
       FaultId::kFileUnreadable, "status.d/q: not a regular file"},
      {"a status.d that is no directory",
       [](const DpkgRoot& r) { r.file("/var/lib/dpkg/status.d", ""); }, FaultId::kFileUnreadable,
       "var/lib/dpkg/status.d: Not a directory"},
      {"a sum of what is outside",
       [](const DpkgRoot& r) {
         r.status_d("q", {{"/../q", "q"}});
       },
       FaultId::kGoldenMalformed, "q.md5sums: a bad path: ../q"},
      {"no file", [](const DpkgRoot& r) { fs::remove(r / "a"); }, FaultId::kGoldenMalformed,
       "has no file of an installed package"},
      {"a database over the limit",
       [&](const DpkgRoot& r) { fs::resize_file(r / (database + "status"), kMaxDpkgBytes + 1); },
       FaultId::kGoldenTooLarge, "over 512 MiB"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const DpkgRoot root;
    root.package("p", {{"/a", "a"}});
    row.damage(root);
    const auto got = build_from_dpkg({.dir = root.path()});
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == row.want);
    CAPTURE(got.error().detail);
    CHECK(got.error().detail.find(row.says) != std::string::npos);
  }
  CHECK(fault_of(build_from_dpkg({.dir = "/nonexistent"})) == FaultId::kFileUnreadable);
}

TEST_CASE("build_from_dpkg: one of this machine's own packages is what dpkg says it is") {
  const fs::path info = "/var/lib/dpkg/info";
  if (!fs::exists(info / "base-files.md5sums") || !fs::exists(info / "base-files.list")) {
    MESSAGE("not checked: no Debian machine");
    return;
  }
  const DpkgRoot root;
  root.stanza("base-files");
  root.add("info/base-files.md5sums", read_file(info / "base-files.md5sums"));
  const std::string list = read_file(info / "base-files.list");
  root.add("info/base-files.list", list);
  std::uint64_t copied = 0;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = list.find('\n', at);
    const std::string path = list.substr(at, end - at);
    at = end + 1;
    if (!fs::is_regular_file(fs::symlink_status(path))) continue;
    root.file(path, read_file(path));
    ++copied;
  }
  const DpkgFiles got = build(root);
  CHECK(copied > 0);
  CHECK(got.files.size() == copied);
}
