#include "golden/dpkg/real_path.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "golden/set_file.h"
#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;
namespace fs = std::filesystem;

TEST_CASE("RealPaths: follows links of directories inside the tree, and never out of it") {
  const TempDir outside;
  outside.write("file", "outside");
  const TempDir dir;
  fs::create_directories(dir / "usr/bin/deep");
  fs::create_symlink("usr/bin", dir / "bin");
  fs::create_symlink("/usr/bin", dir / "absolute");
  fs::create_symlink("../../../../usr/bin", dir / "above");
  fs::create_symlink("../bin/./deep//", dir / "usr/chain");
  fs::create_symlink(outside.path(), dir / "outside");
  fs::create_directories(dir / "usr/share");
  fs::create_symlink("/usr/bin", dir / "usr/absolute");
  fs::create_symlink("../bin", dir / "usr/share/up");
  fs::create_symlink("circle", dir / "circle");
  fs::create_symlink("tool", dir / "usr/bin/link");
  dir.write("file", "f");

  auto root = TreeRoot::open(dir.path().string());
  REQUIRE(root.has_value());
  RealPaths paths(*root);
  struct Row {
    std::string path;
    std::optional<std::string> want;
  };
  const Row rows[] = {
      {"/usr/bin/tool", "usr/bin/tool"},
      {"/bin/tool", "usr/bin/tool"},
      {"/bin/tool", "usr/bin/tool"},  // as remembered
      {"/bin/other", "usr/bin/other"},
      {"/absolute/tool", "usr/bin/tool"},
      {"/above/tool", "usr/bin/tool"},
      {"/usr/absolute/tool", "usr/bin/tool"},
      {"/usr/share/up/tool", "usr/bin/tool"},
      {"/usr/chain/x", "usr/bin/deep/x"},
      {"/bin/link", "usr/bin/link"},  // the last component is not followed
      {"/bin", "bin"},
      {"/outside/file", std::nullopt},
      {"/circle/x", std::nullopt},
      {"/none/x", std::nullopt},
      {"/file/x", std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path);
    const auto got = paths.resolve(row.path);
    REQUIRE(got.has_value());
    CHECK(*got == row.want);
  }
}

TEST_CASE("RealPaths: a path that grows over the limit is refused") {
  const TempDir dir;
  const std::string name(200, 'd');
  fs::path deep = dir.path();
  for (int i = 0; i < 3; ++i) deep /= name;
  fs::create_directories(deep);
  fs::create_symlink(name + "/" + name + "/" + name, dir / "short");
  auto root = TreeRoot::open(dir.path().string());
  REQUIRE(root.has_value());
  RealPaths paths(*root);
  CHECK(paths.resolve("/short/" + std::string(kMaxSetPathBytes - 604, 'x'))->has_value());
  const auto got = paths.resolve("/short/" + std::string(kMaxSetPathBytes - 603, 'x'));
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().id == FaultId::kGoldenTooLarge);
}

TEST_CASE("RealPaths: a directory that may not be searched is an error that names it") {
  if (::geteuid() == 0) return;  // to root every directory is open
  const TempDir dir;
  fs::create_directories(dir / "closed/inner");
  fs::permissions(dir / "closed", fs::perms::none);
  auto root = TreeRoot::open(dir.path().string());
  REQUIRE(root.has_value());
  const auto got = RealPaths(*root).resolve("/closed/inner/x");
  fs::permissions(dir / "closed", fs::perms::owner_all);
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().id == FaultId::kFileUnreadable);
  CHECK(got.error().detail.find("closed") != std::string::npos);
}
