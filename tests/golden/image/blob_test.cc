#include "golden/image/blob.h"

#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <map>

#include "core/handle.h"
#include "tests/support/fault_of.h"
#include "tests/support/temp_dir.h"

namespace assay {
namespace {

using testing::fault_of;
using testing::TempDir;
namespace fs = std::filesystem;

// Symbolic links by their paths.
using Links = std::map<std::string, std::string>;

// A directory that has 1/layer.tar, and links beside it.
void fill(const TempDir& dir, const Links& links) {
  fs::create_directories(dir / "1");
  fs::create_directories(dir / "2");
  dir.write("1/layer.tar", "layer");
  for (const auto& [path, target] : links) fs::create_symlink(target, dir / path);
}

void add(::archive* writer, const std::string& path, const Links::value_type* symlink,
         const char* hardlink = nullptr) {
  const Handle<::archive_entry, ::archive_entry_free> entry(::archive_entry_new());
  ::archive_entry_set_pathname(entry.get(), path.c_str());
  ::archive_entry_set_filetype(entry.get(), symlink == nullptr ? AE_IFREG : AE_IFLNK);
  ::archive_entry_set_size(entry.get(), symlink == nullptr && hardlink == nullptr ? 5 : 0);
  if (symlink != nullptr) ::archive_entry_set_symlink(entry.get(), symlink->second.c_str());
  if (hardlink != nullptr) ::archive_entry_set_hardlink(entry.get(), hardlink);
  REQUIRE(::archive_write_header(writer, entry.get()) == ARCHIVE_OK);
  ::archive_write_data(writer, "layer", 5);
}

// The same as an archive, with a hard link "hard" to 1/layer.tar and one that leads out.
std::string archive(const TempDir& dir, const Links& links) {
  const std::string path = dir / "archive.tar";
  const Handle<::archive, ::archive_write_free> writer(::archive_write_new());
  ::archive_write_set_format_ustar(writer.get());
  REQUIRE(::archive_write_open_filename(writer.get(), path.c_str()) == ARCHIVE_OK);
  for (const auto& link : links) add(writer.get(), link.first, &link);
  add(writer.get(), "1/layer.tar", nullptr);
  add(writer.get(), "hard", nullptr, "1/layer.tar");
  add(writer.get(), "hard.out", nullptr, "../1/layer.tar");
  REQUIRE(::archive_write_close(writer.get()) == ARCHIVE_OK);
  return path;
}

std::string content(const BlobStore& blobs, const std::string& path) {
  const auto source = blobs.open(path);
  if (!source) return source.error().detail;
  const auto bytes = (*source)->next();
  return bytes ? std::string(as_text(*bytes)) : bytes.error().detail;
}

std::optional<FaultId> refusal(const BlobStore& blobs, const std::string& path) {
  return fault_of(blobs.open(path));
}

}  // namespace

TEST_CASE("open_blobs: a part that is a link inside the image is what it leads to") {
  Links links = {{"2/layer.tar", "../1/layer.tar"},
                 {"2/here", "layer.tar"},
                 {"2/dots", "./.././2//../1/layer.tar"},
                 {"chain0", "1/layer.tar"}};
  for (int i = 1; i < 8; ++i) links["chain" + std::to_string(i)] = "chain" + std::to_string(i - 1);
  const TempDir dir;
  fill(dir, links);
  const TempDir other;
  for (const std::string& path : {dir.path().string(), archive(other, links)}) {
    CAPTURE(path);
    const auto blobs = open_blobs(path);
    REQUIRE(blobs);
    for (const char* part : {"1/layer.tar", "2/layer.tar", "2/here", "2/dots", "chain7"}) {
      CAPTURE(std::string(part));
      CHECK(content(**blobs, part) == "layer");
    }
  }
  const auto blobs = open_blobs(other / "archive.tar");
  REQUIRE(blobs);
  CHECK(content(**blobs, "hard") == "layer");
  CHECK(refusal(**blobs, "hard.out") == FaultId::kImagePathEscape);
}

TEST_CASE("open_blobs: a link out of the image, or without an end, is refused") {
  const TempDir parent;
  parent.write("outside", "secret");
  const TempDir dir(parent.path());
  Links links = {{"absolute", dir / "1/layer.tar"},
                 {"up", "../outside"},
                 {"2/up", "../../outside"},
                 {"2/in-and-out", "../1/../../outside"},
                 {"self", "self"},
                 {"nothing", "2/none"},
                 {"directory", "1"},
                 {"one", "1"},
                 {"chain0", "1/layer.tar"}};
  for (int i = 1; i < 9; ++i) links["chain" + std::to_string(i)] = "chain" + std::to_string(i - 1);
  fill(dir, links);
  const TempDir other;
  const std::pair<const char*, FaultId> rows[] = {
      {"absolute", FaultId::kImagePathEscape},     {"up", FaultId::kImagePathEscape},
      {"2/up", FaultId::kImagePathEscape},         {"2/in-and-out", FaultId::kImagePathEscape},
      {"self", FaultId::kImagePathEscape},         {"chain8", FaultId::kImagePathEscape},
      {"nothing", FaultId::kImageMalformed},       {"directory", FaultId::kImageMalformed},
      {"one/layer.tar", FaultId::kImageMalformed}, {"../outside", FaultId::kImageMalformed},
      {"none", FaultId::kImageMalformed},
  };
  for (const std::string& path : {dir.path().string(), archive(other, links)}) {
    const auto blobs = open_blobs(path);
    REQUIRE(blobs);
    for (const auto& [part, want] : rows) {
      CAPTURE(path);
      CAPTURE(std::string(part));
      CHECK(refusal(**blobs, part) == want);
    }
  }
}

}  // namespace assay
