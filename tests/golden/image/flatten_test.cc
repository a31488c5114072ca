#include "golden/image/flatten.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/fault_of.h"

namespace assay {
namespace {

using testing::fault_of;

using Kind = LayerEntry::Kind;
using Layer = std::vector<LayerEntry>;

LayerEntry file(const std::string& path, const std::string& content = "x") {
  return {.kind = Kind::kFile,
          .path = path,
          .target = "",
          .digests = {hash(HashAlg::kSha256, as_bytes(content))}};
}

LayerEntry entry(Kind kind, const std::string& path, const std::string& target = "") {
  return {.kind = kind, .path = path, .target = target};
}

std::vector<std::string> paths(const std::vector<Layer>& layers) {
  ImageTree tree;
  for (const Layer& layer : layers) REQUIRE(tree.apply(layer));
  std::vector<std::string> out;
  for (const GoldenFile& f : tree.files()) out.push_back(f.path);
  return out;
}

bool visible(const std::vector<Layer>& layers, const std::string& content) {
  ImageTree tree;
  for (const Layer& layer : layers) REQUIRE(tree.apply(layer));
  const Digest digest = hash(HashAlg::kSha256, as_bytes(content));
  for (const GoldenFile& f : tree.files()) {
    if (f.digests.front() == digest) return true;
  }
  return false;
}

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("ImageTree: what a container sees of layers is what overlayfs would show") {
  struct Row {
    std::string name;
    std::vector<Layer> layers;
    Paths want;
  };
  const Row rows[] = {
      {"files of all layers", {{file("a")}, {file("d/b")}}, {"/a", "/d/b"}},
      {"a whiteout removes a file below",
       {{file("a"), file("b")}, {entry(Kind::kWhiteout, "a")}},
       {"/b"}},
      {"a whiteout removes a whole directory",
       {{file("d/a"), file("d/e/b"), file("c")}, {entry(Kind::kWhiteout, "d")}},
       {"/c"}},
      {"a whiteout spares its own layer, when it stands behind",
       {{file("d/a")}, {file("d/b"), entry(Kind::kWhiteout, "d")}},
       {"/d/b"}},
      {"a whiteout spares its own layer, when it stands before",
       {{file("d/a")}, {entry(Kind::kWhiteout, "d"), file("d/b")}},
       {"/d/b"}},
      {"a whiteout of nothing is nothing", {{file("a")}, {entry(Kind::kWhiteout, "b/c")}}, {"/a"}},
      {"an opaque directory hides what is below, and not its own",
       {{file("d/a"), file("d/e/a")}, {file("d/b"), entry(Kind::kOpaque, "d")}},
       {"/d/b"}},
      {"an opaque root", {{file("a")}, {entry(Kind::kOpaque, ""), file("b")}}, {"/b"}},
      {"an opaque directory in a link's place spares what the link led to",
       {{file("usr/lib/a"), entry(Kind::kSymlink, "lib", "usr/lib")},
        {entry(Kind::kDirectory, "lib"), entry(Kind::kOpaque, "lib"), file("lib/b")}},
       {"/lib/b", "/usr/lib/a"}},
      {"a directory that is named again keeps its files",
       {{file("d/a")}, {entry(Kind::kDirectory, "d"), file("d/b")}},
       {"/d/a", "/d/b"}},
      {"a file in a directory's place", {{file("d/a")}, {file("d")}}, {"/d"}},
      {"a directory in a file's place",
       {{file("d")}, {entry(Kind::kDirectory, "d"), file("d/a")}},
       {"/d/a"}},
      {"a symbolic link in a directory's place",
       {{file("d/a"), file("e/b")}, {entry(Kind::kSymlink, "d", "e")}},
       {"/e/b"}},
      {"a device in a file's place",
       {{file("a"), file("b")}, {entry(Kind::kSpecial, "a")}},
       {"/b"}},
      {"a hard link to a lower layer's file, which a later one removes",
       {{file("a")}, {entry(Kind::kHardLink, "b", "a")}, {entry(Kind::kWhiteout, "a")}},
       {"/b"}},
      {"a parent that is a symbolic link is followed",
       {{file("usr/lib/a"), entry(Kind::kSymlink, "lib", "usr/lib")}, {file("lib/b")}},
       {"/usr/lib/a", "/usr/lib/b"}},
      {"a link that climbs ends at the image's root",
       {{entry(Kind::kSymlink, "out", "../../../etc")}, {file("out/a")}},
       {"/etc/a"}},
      {"a link from the root stays in the image",
       {{entry(Kind::kSymlink, "d/out", "/etc")}, {file("d/out/a")}},
       {"/etc/a"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(paths(row.layers) == row.want);
  }
}

TEST_CASE("ImageTree: of two entries with one path the last stays") {
  const std::vector<Layer> layers = {{file("a", "first"), file("a", "last")}};
  CHECK_FALSE(visible(layers, "first"));
  CHECK(visible(layers, "last"));
}

TEST_CASE("ImageTree: a hard link keeps the content that it was made to") {
  const std::vector<Layer> layers = {
      {file("a", "old")}, {entry(Kind::kHardLink, "b", "a")}, {file("a", "new")}};
  CHECK(visible(layers, "old"));
  CHECK(visible(layers, "new"));
}

TEST_CASE("ImageTree: a file is of the layer that has an entry of its name") {
  ImageTree tree;
  const std::vector<Layer> layers = {
      {file("stays"), file("replaced", "old"), file("back", "old"), file("d/kept")},
      {file("replaced", "new"), entry(Kind::kWhiteout, "back"), entry(Kind::kDirectory, "d")},
      {},
      {file("back", "new"), entry(Kind::kHardLink, "link", "stays")}};
  for (const Layer& layer : layers) REQUIRE(tree.apply(layer));
  std::vector<std::pair<std::string, int>> got;
  for (const GoldenFile& f : tree.files()) {
    REQUIRE(f.layer);
    got.emplace_back(f.path, *f.layer);
  }
  CHECK(got == std::vector<std::pair<std::string, int>>{
                   {"/back", 3}, {"/d/kept", 0}, {"/link", 3}, {"/replaced", 1}, {"/stays", 0}});
}

TEST_CASE("ImageTree: owner and kind of a file are its own, and of a hard link its target's") {
  LayerEntry tool = file("tool");
  tool.mode = 0755;
  tool.uid = 7;
  tool.gid = 8;
  tool.content_kind = ContentKind::kElf;
  LayerEntry link = entry(Kind::kHardLink, "link", "tool");
  link.uid = 1;
  link.gid = 1;
  ImageTree tree;
  REQUIRE(tree.apply({tool, link}));
  const std::vector<GoldenFile> got = tree.files();
  REQUIRE(got.size() == 2);
  for (const GoldenFile& f : got) {
    CAPTURE(f.path);
    CHECK(f.uid == 7);
    CHECK(f.gid == 8);
    CHECK(f.mode == 0755);
    CHECK(f.kind == ContentKind::kElf);
  }
}

TEST_CASE("ImageTree: a layer that cannot be laid over the others is refused") {
  std::string deep;
  for (int i = 0; i < 300; ++i) deep += "d/";
  struct Row {
    std::string name;
    Layer layer;
    FaultId want;
  };
  const Row rows[] = {
      {"a hard link to nothing", {entry(Kind::kHardLink, "b", "a")}, FaultId::kImageMalformed},
      {"a hard link to a directory",
       {entry(Kind::kDirectory, "d"), entry(Kind::kHardLink, "b", "d")},
       FaultId::kImageMalformed},
      {"a root that is a file", {file("")}, FaultId::kImageMalformed},
      {"links in a circle",
       {entry(Kind::kSymlink, "a", "b"), entry(Kind::kSymlink, "b", "a"), file("a/x")},
       FaultId::kImagePathEscape},
      {"too many components", {file(deep + "a")}, FaultId::kImageTooLarge},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    ImageTree tree;
    const Status got = tree.apply(row.layer);
    REQUIRE_FALSE(got);
    CHECK(got.error().id == row.want);
  }
}

TEST_CASE("layer_path: spellings of one path are one path") {
  for (const char* path : {"usr/bin", "./usr/bin", "usr//bin/", "usr/./bin"}) {
    CHECK(layer_path(path) == "usr/bin");
  }
  CHECK(layer_path("./") == "");
}

TEST_CASE("layer_path: a path that leads out of the image is refused") {
  for (const char* path : {"/etc/passwd", "../a", "a/../../b", "a/.."}) {
    CAPTURE(std::string(path));
    const auto got = layer_path(path);
    REQUIRE_FALSE(got);
    CHECK(got.error().id == FaultId::kImagePathEscape);
  }
  CHECK(fault_of(layer_path(std::string(kMaxSetPathBytes + 1, 'a'))) == FaultId::kImageMalformed);
}

TEST_CASE("take_whiteout: names that mean a removal") {
  LayerEntry white = file("d/.wh.a");
  CHECK(take_whiteout(white) == true);
  CHECK(white.kind == Kind::kWhiteout);
  CHECK(white.path == "d/a");
  LayerEntry opaque = file("d/.wh..wh..opq");
  CHECK(take_whiteout(opaque) == true);
  CHECK(opaque.kind == Kind::kOpaque);
  CHECK(opaque.path == "d");
  LayerEntry aufs = file(".wh..wh.plnk/1");
  CHECK(take_whiteout(aufs) == false);
  LayerEntry plain = file("d/.whale");
  CHECK(take_whiteout(plain) == true);
  CHECK(plain.kind == Kind::kFile);
}

TEST_CASE("take_whiteout: a whiteout that names no file is refused") {
  const std::pair<const char*, FaultId> rows[] = {{"d/.wh.", FaultId::kImageMalformed},
                                                  {".wh.d/a", FaultId::kImageMalformed},
                                                  {"d/.wh..", FaultId::kImagePathEscape},
                                                  {"d/.wh...", FaultId::kImagePathEscape}};
  for (const auto& [path, want] : rows) {
    CAPTURE(std::string(path));
    LayerEntry one = file(path);
    const auto got = take_whiteout(one);
    REQUIRE_FALSE(got);
    CHECK(got.error().id == want);
  }
}

}  // namespace assay
