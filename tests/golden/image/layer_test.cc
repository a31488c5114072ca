#include "golden/image/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/handle.h"

namespace assay {
namespace {

class Memory final : public ByteSource {
 public:
  explicit Memory(Bytes bytes) : bytes_(std::move(bytes)) {}
  Result<ByteView> next() override {
    if (std::exchange(done_, true)) return ByteView{};
    return ByteView(bytes_);
  }

 private:
  Bytes bytes_;
  bool done_ = false;
};

struct Entry {
  std::string path;
  std::string content;
  unsigned type = AE_IFREG;
  std::string link = {};   // of a hard link
  std::string xattr = {};  // its name
  la_int64_t uid = 0;
  la_int64_t gid = 0;
};

enum class Compression { kNone, kGzip, kZstd };

Bytes archive(const std::vector<Entry>& entries, Compression compression = Compression::kNone) {
  const Handle<::archive, ::archive_write_free> writer(::archive_write_new());
  ::archive_write_set_format_pax(writer.get());
  ::archive_write_set_bytes_in_last_block(writer.get(), 1);
  if (compression == Compression::kGzip) ::archive_write_add_filter_gzip(writer.get());
  if (compression == Compression::kZstd) ::archive_write_add_filter_zstd(writer.get());
  Bytes out(std::size_t{4} << 20);
  std::size_t used = 0;
  REQUIRE(::archive_write_open_memory(writer.get(), out.data(), out.size(), &used) == ARCHIVE_OK);
  for (const Entry& one : entries) {
    const Handle<::archive_entry, ::archive_entry_free> entry(::archive_entry_new());
    ::archive_entry_set_pathname(entry.get(), one.path.c_str());
    ::archive_entry_set_filetype(entry.get(), one.type);
    ::archive_entry_set_perm(entry.get(), 0755);
    ::archive_entry_set_uid(entry.get(), one.uid);
    ::archive_entry_set_gid(entry.get(), one.gid);
    ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(one.content.size()));
    if (!one.link.empty()) ::archive_entry_set_hardlink(entry.get(), one.link.c_str());
    if (!one.xattr.empty()) {
      ::archive_entry_xattr_add_entry(entry.get(), one.xattr.c_str(), "y", 1);
    }
    REQUIRE(::archive_write_header(writer.get(), entry.get()) == ARCHIVE_OK);
    ::archive_write_data(writer.get(), one.content.data(), one.content.size());
  }
  REQUIRE(::archive_write_close(writer.get()) == ARCHIVE_OK);
  out.resize(used);
  return out;
}

LayerWanted wanted(const Bytes& blob, const Bytes& tar) {
  return {.blob = hash(HashAlg::kSha256, blob),
          .blob_bytes = blob.size(),
          .diff_id = hash(HashAlg::kSha256, tar),
          .algorithms = {HashAlg::kSha256, HashAlg::kSha512}};
}

FaultId refusal(const Bytes& blob, const LayerWanted& want) {
  Memory source(blob);
  const auto got = read_layer(source, want);
  REQUIRE_FALSE(got);
  return got.error().id;
}

FaultId refusal(const std::vector<Entry>& entries) {
  const Bytes tar = archive(entries);
  return refusal(tar, wanted(tar, tar));
}

}  // namespace

TEST_CASE("read_layer: an archive's files have their digests, however it is compressed") {
  const std::vector<Entry> entries = {{"./d/a", "content"}, {"d/.wh.b", ""}, {"c", "", AE_IFIFO}};
  const Bytes tar = archive(entries);
  for (const Compression how : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    const Bytes blob = archive(entries, how);
    Memory source(blob);
    const auto got = read_layer(source, wanted(blob, tar));
    REQUIRE(got);
    REQUIRE(got->size() == 3);
    CHECK(got->at(0).path == "d/a");
    CHECK(got->at(0).digests == std::vector{hash(HashAlg::kSha256, as_bytes("content")),
                                            hash(HashAlg::kSha512, as_bytes("content"))});
    CHECK(got->at(0).mode == 0755);
    CHECK(got->at(1).kind == LayerEntry::Kind::kWhiteout);
    CHECK(got->at(2).kind == LayerEntry::Kind::kSpecial);
  }
}

TEST_CASE("read_layer: a file has its owner, also one that only a PAX header can hold") {
  constexpr la_int64_t kLargest = 0xffff'ffff;  // seven octal digits end at 2097151
  const Bytes tar = archive({{.path = "a", .content = "a", .uid = 1000, .gid = 100},
                             {.path = "b", .content = "b", .uid = kLargest, .gid = kLargest - 1}});
  REQUIRE(as_text(tar).find(" uid=4294967295\n") != std::string_view::npos);
  Memory source(tar);
  const auto got = read_layer(source, wanted(tar, tar));
  REQUIRE(got);
  REQUIRE(got->size() == 2);
  CHECK(got->at(0).uid == 1000);
  CHECK(got->at(0).gid == 100);
  CHECK(got->at(1).uid == kLargest);
  CHECK(got->at(1).gid == kLargest - 1);
}

TEST_CASE("read_layer: a file's first bytes say what kind it is") {
  const Bytes tar = archive({{"elf", std::string("\x7f") + "ELF" + std::string(300'000, 'x')},
                             {"script", "#!/bin/sh\n"},
                             {"text", "text"},
                             {"empty", ""}});
  Memory source(tar);
  const auto got = read_layer(source, wanted(tar, tar));
  REQUIRE(got);
  REQUIRE(got->size() == 4);
  CHECK(got->at(0).content_kind == ContentKind::kElf);
  CHECK(got->at(1).content_kind == ContentKind::kScript);
  CHECK(got->at(2).content_kind == ContentKind::kUnknown);
  CHECK(got->at(3).content_kind == ContentKind::kUnknown);
}

TEST_CASE("read_layer: a hostile entry is refused") {
  CHECK(refusal({{"../a", ""}}) == FaultId::kImagePathEscape);
  CHECK(refusal({{"/a", ""}}) == FaultId::kImagePathEscape);
  CHECK(refusal({{"a", ""}, {"b", "", AE_IFREG, "../a"}}) == FaultId::kImagePathEscape);
  CHECK(refusal({{".wh..", ""}}) == FaultId::kImagePathEscape);
  CHECK(refusal({{".wh.", ""}}) == FaultId::kImageMalformed);
  CHECK(refusal({{"a", "", AE_IFREG, "", "trusted.overlay.opaque"}}) == FaultId::kImageMalformed);
  constexpr la_int64_t kOver = la_int64_t{1} << 32;
  CHECK(refusal({{.path = "a", .content = "", .uid = kOver}}) == FaultId::kImageMalformed);
  CHECK(refusal({{.path = "a", .content = "", .gid = kOver}}) == FaultId::kImageMalformed);
}

TEST_CASE("read_layer: a layer that is not what its digests are of is refused") {
  const Bytes tar = archive({{"a", std::string(2000, 'a')}});
  const Bytes blob = archive({{"a", std::string(2000, 'a')}}, Compression::kGzip);
  const LayerWanted want = wanted(blob, tar);
  Bytes shorter = blob;
  shorter.pop_back();
  CHECK(refusal(shorter, want) == FaultId::kImageTruncated);
  Bytes longer = blob;
  longer.push_back(0);
  CHECK(refusal(longer, want) == FaultId::kImageDigestMismatch);
  Bytes other = blob;
  other.back() ^= 1;
  CHECK(refusal(other, want) == FaultId::kImageDigestMismatch);
  LayerWanted another = want;
  another.diff_id = Digest::zero(HashAlg::kSha256);
  CHECK(refusal(blob, another) == FaultId::kImageDigestMismatch);
}

TEST_CASE("read_layer: what is no archive is refused") {
  const Bytes text(600, 'x');
  CHECK(refusal(text, wanted(text, text)) == FaultId::kImageMalformed);
  Bytes cut = archive({{"a", std::string(2000, 'a')}});
  cut.resize(1500);
  CHECK(refusal(cut, wanted(cut, cut)) == FaultId::kImageMalformed);
}

TEST_CASE("read_layer: an archive may end with its last file's last byte") {
  // As `umoci insert` writes it: no padding, no end. A PAX header makes a header of three blocks.
  const Bytes whole = archive(
      {{"a", std::string(600, 'a')}, {.path = "b", .content = "last", .uid = la_int64_t{1} << 31}});
  const std::size_t end = as_text(whole).rfind("last") + 4;
  const auto cut = [&](std::size_t size) {
    return Bytes(whole.begin(), whole.begin() + static_cast<long>(size));
  };
  const Bytes shorter = cut(end);
  Memory source(shorter);
  const auto got = read_layer(source, wanted(shorter, shorter));
  REQUIRE(got);
  REQUIRE(got->size() == 2);
  CHECK(got->at(1).digests.front() == hash(HashAlg::kSha256, as_bytes("last")));
  // Nothing else may be cut: content, the last header, or what stands before it.
  for (const std::size_t size : {std::size_t{900}, end - 1, end - 4 - 12, end - 4 - 1100}) {
    CAPTURE(size);
    CHECK(refusal(cut(size), wanted(cut(size), cut(size))) == FaultId::kImageMalformed);
  }
  // Of an empty file's header these zeros are the end, and it is refused all the same.
  Bytes header = archive({{"a", ""}, {"b", ""}});
  header.resize(512 + 400);
  CHECK(refusal(header, wanted(header, header)) == FaultId::kImageMalformed);
  const Bytes zeros(300);
  CHECK(refusal(zeros, wanted(zeros, zeros)) == FaultId::kImageMalformed);
}

TEST_CASE("read_layer: a layer over a limit is refused") {
  const std::vector<Entry> entries = {{"a", std::string(1'000'000, 'a')}, {"b", "b"}};
  const Bytes tar = archive(entries);
  const Bytes blob = archive(entries, Compression::kGzip);
  const auto with = [&](LayerLimits limits) {
    LayerWanted want = wanted(blob, tar);
    want.limits = limits;
    return want;
  };
  CHECK(refusal(blob, with({.max_entries = 1})) == FaultId::kImageTooLarge);
  CHECK(refusal(blob, with({.max_bytes = 500'000})) == FaultId::kImageTooLarge);
  CHECK(refusal(blob, with({.ratio_from_bytes = 100'000, .max_ratio = 20})) ==
        FaultId::kImageTooLarge);
  Memory source(blob);
  CHECK(read_layer(source, with({.max_entries = 2})));
}

}  // namespace assay
