#include "golden/rootfs.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "golden/posix.h"
#include "tests/support/ima_builder.h"
#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;
namespace fs = std::filesystem;

namespace {

std::map<std::string, GoldenFile> by_path(const RootfsFiles& tree) {
  std::map<std::string, GoldenFile> out;
  for (const GoldenFile& file : tree.files) out.emplace(file.path, file);
  return out;
}

RootfsFiles build(const fs::path& dir) {
  auto tree = build_from_rootfs({.dir = dir.string()});
  REQUIRE(tree.has_value());
  return *std::move(tree);
}

// What coreutils' own tool says: `<digest>  <path>`, NUL-separated, so that names stay bytes.
std::map<std::string, std::string> sums(const fs::path& dir, const std::string& tool) {
  const std::string command =
      "cd '" + dir.string() + "' && find . -type f -print0 | xargs -0 -r " + tool + " -z";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string text;
  char buffer[4096];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, pipe)) {
    text.append(buffer, size);
  }
  REQUIRE(::pclose(pipe) == 0);
  std::map<std::string, std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\0', at);
    const std::string line = text.substr(at, end - at);
    const std::size_t space = line.find("  ./");
    out.emplace(line.substr(space + 3), line.substr(0, space));
    at = end + 1;
  }
  return out;
}

}  // namespace

TEST_CASE("build_from_rootfs: has the files and digests that find and sha256sum have") {
  const TempDir dir;
  fs::create_directories(dir / "usr/lib/deep/er");
  dir.write("empty", "");
  dir.write("usr/lib/a", "a");
  dir.write("usr/lib/deep/er/new\nline", "b");
  dir.write("usr/lib/quote\"back\\slash 'x'", "c");
  dir.write("usr/lib/invalid\xff\xc3utf8", "d");
  dir.write("usr/lib/big", std::string(3'000'000, 'x'));
  fs::resize_file(dir.write("sparse", "head"), 5'000'000);
  fs::create_hard_link(dir / "usr/lib/a", dir / "usr/hardlink");
  fs::create_symlink("usr/lib/a", dir / "symlink");

  const auto tree =
      build_from_rootfs({.dir = dir.path().string(),
                         .algorithms = {HashAlg::kSha512, HashAlg::kSha256, HashAlg::kSha1}});
  REQUIRE(tree.has_value());
  const auto sha1 = sums(dir.path(), "sha1sum");
  const auto sha256 = sums(dir.path(), "sha256sum");
  const auto sha512 = sums(dir.path(), "sha512sum");
  REQUIRE(sha256.size() == 8);
  CHECK(tree->files.size() == sha256.size());
  for (const auto& [path, file] : by_path(*tree)) {
    CAPTURE(path);
    REQUIRE(file.digests.size() == 3);
    CHECK(format_digest(file.digests[0]) == "sha1:" + sha1.at(path));
    CHECK(format_digest(file.digests[1]) == "sha256:" + sha256.at(path));
    CHECK(format_digest(file.digests[2]) == "sha512:" + sha512.at(path));
    CHECK(file.size == fs::file_size(dir.path().string() + path));
  }
  CHECK(tree->changed.empty());
  CHECK(tree->special == 0);

  const GoldenSet set{.name = "x", .source = "rootfs", .files = tree->files};
  const auto read = parse_golden_set(as_bytes(format_golden_set(set)));
  REQUIRE(read.has_value());
  CHECK(*read == set);
}

TEST_CASE("build_from_rootfs: sha256 is what it takes unless told otherwise, with the mode") {
  const TempDir dir;
  ::chmod(dir.write("tool", "t").c_str(), 04750);
  const RootfsFiles tree = build(dir.path());
  REQUIRE(tree.files.size() == 1);
  CHECK(tree.files[0].path == "/tool");
  CHECK(tree.files[0].digests == std::vector<Digest>{digest_of("t")});
  CHECK(tree.files[0].mode == 04750);
  CHECK(tree.files[0].size == 1);
}

TEST_CASE("build_from_rootfs: takes owner and kind") {
  const TempDir dir;
  const fs::path tool = dir.write("tool",
                                  "\x7f"
                                  "ELF\x02");
  dir.write("script", "#!/bin/sh\n");
  dir.write("empty", "");
  // Who is not root has files of one owner only.
  if (::geteuid() == 0) REQUIRE(::chown(tool.c_str(), 12345, 54321) == 0);
  struct stat st = {};
  REQUIRE(::stat(tool.c_str(), &st) == 0);
  const auto files = by_path(build(dir.path()));
  REQUIRE(files.size() == 3);
  CHECK(files.at("/tool").uid == st.st_uid);
  CHECK(files.at("/tool").gid == st.st_gid);
  CHECK(files.at("/script").uid == ::geteuid());
  CHECK(files.at("/script").gid == ::getegid());
  CHECK(files.at("/tool").kind == ContentKind::kElf);
  CHECK(files.at("/script").kind == ContentKind::kScript);
  CHECK(files.at("/empty").kind == ContentKind::kUnknown);
  for (const auto& [path, file] : files) CHECK_FALSE(file.layer);
}

TEST_CASE("build_from_rootfs: no symbolic link leads out of the tree") {
  const TempDir outside;
  outside.write("secret", "s");
  const TempDir dir;
  dir.write("file", "f");
  fs::create_symlink(outside.path(), dir / "directory-link");
  fs::create_symlink(outside / "secret", dir / "file-link");
  fs::create_symlink("/", dir / "root-link");
  fs::create_symlink(".", dir / "loop");
  const RootfsFiles tree = build(dir.path());
  REQUIRE(tree.files.size() == 1);
  CHECK(tree.files[0].path == "/file");
}

TEST_CASE("build_from_rootfs: a directory swapped for a link while it works leads nowhere") {
  const TempDir outside;
  outside.write("file", "outside");
  const TempDir dir;
  fs::create_directory(dir / "sub");
  dir.write("sub/file", "inside");
  dir.write("a", "first");
  bool swapped = false;
  const auto tree = build_from_rootfs(
      {.dir = dir.path().string(),
       .algorithms = {HashAlg::kSha256},
       .threads = 1,
       // Called first when the tree is listed and one file is read: in either order of listing, the
       // link is there before or after sub/file is opened, never outside's content.
       .on_progress = [&](const BuildProgress&) {
         if (std::exchange(swapped, true)) return;
         fs::rename(dir / "sub", dir / "was-sub");
         fs::create_symlink(outside.path(), dir / "sub");
       }});
  REQUIRE(tree.has_value());
  CHECK(swapped);
  for (const GoldenFile& file : tree->files) CHECK(file.digests[0] != digest_of("outside"));
  if (tree->files.size() == 1) CHECK(tree->changed == std::vector<std::string>{"/sub/file"});
}

TEST_CASE("build_from_rootfs: a file that became something else is left out, and named") {
  const TempDir outside;
  outside.write("file", "outside");
  struct Row {
    std::string name;
    std::function<void(const fs::path&)> become;
  };
  const Row rows[] = {
      {"a link", [&](const fs::path& p) { fs::create_symlink(outside / "file", p); }},
      {"a pipe", [](const fs::path& p) { REQUIRE(::mkfifo(p.c_str(), 0600) == 0); }},
      {"a directory", [](const fs::path& p) { fs::create_directory(p); }},
      {"nothing", [](const fs::path&) {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const TempDir dir;
    dir.write("a", "a");
    dir.write("b", "b");
    bool done = false;
    const auto tree = build_from_rootfs({.dir = dir.path().string(),
                                         .algorithms = {HashAlg::kSha256},
                                         .threads = 1,
                                         // Two files: once one is done, the other is still to come.
                                         .on_progress = [&](const BuildProgress& progress) {
                                           if (progress.files_done != 1 || done) return;
                                           done = true;
                                           for (const std::string name : {"a", "b"}) {
                                             fs::remove(dir / name);
                                             row.become(dir / name);
                                           }
                                         }});
    REQUIRE(tree.has_value());
    CHECK(done);
    REQUIRE(tree->files.size() == 1);
    const std::string other = tree->files[0].path == "/a" ? "/b" : "/a";
    CHECK(tree->changed == std::vector<std::string>{other});
  }
}

TEST_CASE("build_from_rootfs: a file that changes while it is read is left out, and named") {
  const auto set_mtime = [](const fs::path& path, const timespec& mtime) {
    const timespec times[] = {mtime, mtime};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  };
  struct Row {
    std::string name;
    std::function<void(const fs::path&)> change;
  };
  const timespec kOld = {.tv_sec = 1'000'000'000, .tv_nsec = 0};
  const Row rows[] = {
      {"it grows, within one tick of the clock",
       [&](const fs::path& p) {
         std::ofstream(p, std::ios::app) << "more";
         set_mtime(p, kOld);
       }},
      {"it is overwritten, at the same size",
       [&](const fs::path& p) {
         std::fstream(p) << "overwritten";
         set_mtime(p, {.tv_sec = kOld.tv_sec, .tv_nsec = 1});
       }},
      {"it is overwritten a second later",
       [&](const fs::path& p) { set_mtime(p, {.tv_sec = kOld.tv_sec + 1, .tv_nsec = 0}); }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const TempDir dir;
    const fs::path log = dir.write("log", std::string(9'000'000, 'l'));
    set_mtime(log, kOld);
    dir.write("other", "o");
    bool changed = false;
    const auto tree = build_from_rootfs({.dir = dir.path().string(),
                                         .algorithms = {HashAlg::kSha256},
                                         .threads = 1,
                                         // In the middle of the log: 4 MiB of it are read.
                                         .on_progress = [&](const BuildProgress& progress) {
                                           if (progress.bytes_done < (4U << 20)) return;
                                           if (!std::exchange(changed, true)) row.change(log);
                                         }});
    REQUIRE(tree.has_value());
    CHECK(changed);
    CHECK(tree->changed == std::vector<std::string>{"/log"});
    REQUIRE(tree->files.size() == 1);
    CHECK(tree->files[0].path == "/other");
  }
}

TEST_CASE("build_from_rootfs: sockets, pipes and devices are counted and never opened") {
  const TempDir dir;
  dir.write("file", "f");
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  const std::string name = (dir / "socket").string();
  REQUIRE(name.size() < sizeof address.sun_path);
  name.copy(address.sun_path, name.size());
  REQUIRE(::bind(socket.get(), static_cast<sockaddr*>(static_cast<void*>(&address)),
                 sizeof address) == 0);
  const RootfsFiles tree = build(dir.path());
  CHECK(tree.files.size() == 1);
  CHECK(tree.special == 2);
}

TEST_CASE("build_from_rootfs: reports progress up to the end, from several threads") {
  const TempDir dir;
  for (int i = 0; i < 500; ++i) dir.write(std::to_string(i), std::to_string(i));
  BuildProgress last;
  std::uint64_t calls = 0;
  const auto tree = build_from_rootfs({.dir = dir.path().string(),
                                       .algorithms = {HashAlg::kSha256},
                                       .threads = 4,
                                       .on_progress = [&](const BuildProgress& progress) {
                                         CHECK(progress.files_done >= last.files_done);
                                         last = progress;
                                         ++calls;
                                       }});
  REQUIRE(tree.has_value());
  CHECK(tree->files.size() == 500);
  CHECK(calls >= 500);
  CHECK(last.files_done == 500);
  CHECK(last.files_total == 500);
  CHECK(last.bytes_done == last.bytes_total);
  CHECK(last.bytes_total == 10 * 1 + 90 * 2 + 400 * 3);
}

TEST_CASE("build_from_rootfs: one thread and many build the same set") {
  const TempDir dir;
  for (int i = 0; i < 100; ++i) dir.write(std::to_string(i), std::to_string(i % 7));
  const auto one = build_from_rootfs({.dir = dir.path().string(), .threads = 1});
  const auto many = build_from_rootfs({.dir = dir.path().string(), .threads = 8});
  REQUIRE(one.has_value());
  REQUIRE(many.has_value());
  CHECK(one->files == many->files);
}

TEST_CASE("build_from_rootfs: refuses what it cannot read whole, by name") {
  const TempDir empty;
  const TempDir file;
  struct Row {
    std::string name;
    std::string dir;
    FaultId want;
    std::string says;
  };
  const Row rows[] = {
      {"a directory that is not there", (empty / "none").string(), FaultId::kFileUnreadable,
       "none"},
      {"a file", file.write("f", "f").string(), FaultId::kFileUnreadable, "Not a directory"},
      {"a tree without files", empty.path().string(), FaultId::kGoldenMalformed, "no regular file"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto tree = build_from_rootfs({.dir = row.dir});
    REQUIRE_FALSE(tree.has_value());
    CHECK(tree.error().id == row.want);
    CHECK(tree.error().detail.find(row.says) != std::string::npos);
  }
}

TEST_CASE("build_from_rootfs: a file that may not be read is an error that names it") {
  const TempDir dir;
  ::chmod(dir.path().c_str(), 0755);
  dir.write("readable", "r");
  ::chmod(dir.write("secr\xff"
                    "et",
                    "s")
              .c_str(),
          0);
  // To root every file is readable: be someone else for as long as it takes.
  const bool root = ::geteuid() == 0;
  if (root) REQUIRE(::seteuid(65534) == 0);
  const auto tree = build_from_rootfs({.dir = dir.path().string()});
  if (root) REQUIRE(::seteuid(0) == 0);
  REQUIRE_FALSE(tree.has_value());
  CHECK(tree.error().id == FaultId::kFileUnreadable);
  CHECK(tree.error().detail.find("secr\\xffet: Permission denied") != std::string::npos);
}

TEST_CASE("build_from_rootfs: a proc mounted below the tree is left out, and named") {
  const TempDir dir;
  dir.write("file", "f");
  fs::create_directory(dir / "proc");
  // In a child with mounts of its own, which end with it. 77: this machine does not allow that.
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("proc", (dir / "proc").c_str(), "proc", 0, nullptr) != 0) {
      ::_exit(77);
    }
    const auto tree = build_from_rootfs({.dir = dir.path().string()});
    const bool ok = tree && tree->files.size() == 1 &&
                    tree->pseudo_filesystems == std::vector<std::string>{"/proc"};
    ::_exit(ok ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    MESSAGE("not checked: mounting is not allowed here");
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}
