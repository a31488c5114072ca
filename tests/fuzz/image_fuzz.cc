// No bytes of an image may crash its readers, and no path that they accept leads out of it. An input is
// taken as parts that refer to each other, as an archive of them, or as a layer. Digests in it would
// never be right again once it is changed, and neither would checksums of tar headers: both are put right.
#include <archive.h>
#include <archive_entry.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "golden/image/archive.h"
#include "golden/image/image.h"
#include "golden/posix.h"
#include "tests/fuzz/check.h"

using namespace assay;

namespace {

constexpr std::string_view kSeparator = "\n%%\n";
constexpr std::size_t kMaxParts = 9;
constexpr LayerLimits kLimits = {.max_entries = 200, .max_bytes = 1 << 20};
constexpr std::size_t kBlockBytes = 512;

std::string_view block(const std::string& tar, std::size_t start) {
  return std::string_view(tar).substr(start, kBlockBytes);
}

// With the checksum that each header of a tar archive has to have.
std::string with_checksums(std::string tar) {
  constexpr std::size_t kMagic = 257;
  constexpr std::size_t kSum = 148;
  for (std::size_t at = 0; at + kBlockBytes <= tar.size(); at += kBlockBytes) {
    if (block(tar, at).substr(kMagic, 5) != "ustar") continue;
    tar.replace(at + kSum, 8, "        ");
    const std::string_view header = block(tar, at);
    const unsigned sum = std::accumulate(
        header.begin(), header.end(), 0U,
        [](unsigned total, char c) { return total + static_cast<unsigned char>(c); });
    for (std::size_t digit = 0; digit < 6; ++digit) {
      tar[at + kSum + 5 - digit] = static_cast<char>('0' + (sum >> (3 * digit) & 7U));
    }
    tar[at + kSum + 6] = '\0';
  }
  return tar;
}

// Of what a layer decompresses to; as far as it does.
Digest diff_id(const std::string& layer) {
  const ArchiveReader reader(::archive_read_new());
  ::archive_read_support_format_raw(reader.get());
  ::archive_read_support_filter_gzip(reader.get());
  ::archive_read_support_filter_zstd(reader.get());
  Hasher hasher(HashAlg::kSha256);
  hasher.start();
  ::archive_entry* whole = nullptr;
  if (::archive_read_open_memory(reader.get(), layer.data(), layer.size()) == ARCHIVE_OK &&
      ::archive_read_next_header(reader.get(), &whole) == ARCHIVE_OK) {
    static std::array<std::uint8_t, std::size_t{64} << 10> buffer;
    std::uint64_t bytes = 0;
    while (bytes <= kLimits.max_bytes) {
      const la_ssize_t size = ::archive_read_data(reader.get(), buffer.data(), buffer.size());
      if (size <= 0) break;
      hasher.add(ByteView(buffer).first(static_cast<std::size_t>(size)));
      bytes += static_cast<std::uint64_t>(size);
    }
  }
  return hasher.finish();
}

class Text final : public ByteSource {
 public:
  explicit Text(std::string text) : text_(std::move(text)) {}
  Result<ByteView> next() override {
    return std::exchange(done_, true) ? ByteView() : as_bytes(text_);
  }

 private:
  std::string text_;
  bool done_ = false;
};

// Parts of an image. The first is an index, or docker's list of images, and each is there as its number
// and as its digest. In their JSON "@2" is the digest of part 2, "~2" that of what it decompresses to,
// and "#2" its size; only later parts can be meant.
class Parts final : public BlobStore {
 public:
  explicit Parts(std::string_view input) {
    while (parts_.size() < kMaxParts) {
      const std::size_t end = std::min(input.find(kSeparator), input.size());
      parts_.push_back(std::string(input.substr(0, end)));
      if (end == input.size()) break;
      input.remove_prefix(end + kSeparator.size());
    }
    digests_.resize(parts_.size());
    for (std::size_t i = parts_.size(); i-- > 0;) {
      parts_[i] = is_json(parts_[i]) ? filled_in(parts_[i], i) : with_checksums(parts_[i]);
      digests_[i] = to_hex(hash(HashAlg::kSha256, as_bytes(parts_[i])).bytes());
    }
  }

  bool is_docker() const { return parts_.front().starts_with('['); }

  Result<std::unique_ptr<ByteSource>> open(const std::string& path) const override {
    if (path == "oci-layout" && !is_docker()) {
      return std::make_unique<Text>(R"({"imageLayoutVersion":"1.0.0"})");
    }
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (path == "blobs/sha256/" + digests_[i] || path == std::to_string(i) ||
          (i == 0 && path == (is_docker() ? "manifest.json" : "index.json"))) {
        return std::make_unique<Text>(parts_[i]);
      }
    }
    return fail(FaultId::kImageMalformed, "no such part");
  }

 private:
  static bool is_json(std::string_view part) {
    return part.starts_with('{') || part.starts_with('[');
  }

  std::string filled_in(std::string_view json, std::size_t index) const {
    std::string out;
    for (std::size_t i = 0; i < json.size(); ++i) {
      const std::size_t to =
          i + 1 < json.size() ? static_cast<std::size_t>(json[i + 1]) - '0' : parts_.size();
      if (std::string_view("@~#").find(json[i]) == std::string_view::npos || to <= index ||
          to >= parts_.size()) {
        out += json[i];
        continue;
      }
      if (json[i] == '@') out += "sha256:" + digests_[to];
      if (json[i] == '~') out += format_digest(diff_id(parts_[to]));
      if (json[i] == '#') out += std::to_string(parts_[to].size());
      ++i;
    }
    return out;
  }

  std::vector<std::string> parts_;
  std::vector<std::string> digests_;
};

void check_path(const std::string& path) {
  FUZZ_CHECK(!path.starts_with('/') && path.size() <= kMaxSetPathBytes);
  const std::string closed = "/" + path + "/";
  for (const std::string_view part : {"/./", "/../"}) {
    FUZZ_CHECK(closed.find(part) == std::string::npos);
  }
  FUZZ_CHECK(path.empty() || closed.find("//") == std::string::npos);
}

void check_layer(const std::string& layer) {
  Text source(layer);
  const auto table = read_layer(source, {.blob = std::nullopt,
                                         .blob_bytes = std::nullopt,
                                         .diff_id = diff_id(layer),
                                         .algorithms = {HashAlg::kSha256},
                                         .limits = kLimits});
  if (!table) {
    FUZZ_CHECK(table.error().id != FaultId::kImageDigestMismatch);
    return;
  }
  FUZZ_CHECK(table->size() <= kLimits.max_entries);
  std::uint64_t bytes = 0;
  for (const LayerEntry& entry : *table) {
    check_path(entry.path);
    FUZZ_CHECK(entry.mode <= 07777U && entry.target.size() <= kMaxSetPathBytes);
    if (entry.kind == LayerEntry::Kind::kHardLink) check_path(entry.target);
    if (entry.kind != LayerEntry::Kind::kFile) continue;
    FUZZ_CHECK(entry.digests.size() == 1);
    bytes += entry.size;
  }
  FUZZ_CHECK(bytes <= kLimits.max_bytes);
}

// What an image gives is a set: it is written and read again as the same.
void check_image(const Result<ImageFiles>& image) {
  if (!image) return;
  for (const GoldenFile& file : image->files) {
    FUZZ_CHECK(file.path.starts_with('/'));
    check_path(file.path.substr(1));
    FUZZ_CHECK(file.layer && *file.layer < image->image.layers.size());
  }
  const GoldenSet set{
      .name = "fuzz", .source = "oci", .files = image->files, .image = image->image};
  const auto again = parse_golden_set(as_bytes(format_golden_set(set)));
  FUZZ_CHECK(again && *again == set);
}

void check_parts(const std::string& input) {
  const Parts parts(input);
  check_image(build_from_blobs(
      parts, {.path = "parts",
              .form = parts.is_docker() ? ImageForm::kDockerArchive : ImageForm::kOciLayout,
              .threads = 1,
              .limits = kLimits}));
}

void check_archive(const std::string& archive) {
  const Fd file(::memfd_create("archive", MFD_CLOEXEC));
  FUZZ_CHECK(file.ok());
  FUZZ_CHECK(::write(file.get(), archive.data(), archive.size()) ==
             static_cast<ssize_t>(archive.size()));
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  check_image(build_from_image(
      {.path = path, .form = ImageForm::kDockerArchive, .threads = 1, .limits = kLimits}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(as_text({data, size}));
  if (input.starts_with('{') || input.starts_with('[')) {
    check_parts(input);
  } else if (const std::string tar = with_checksums(input);
             tar.find("manifest.json") != std::string::npos) {
    check_archive(tar);
  } else {
    check_layer(tar);
  }
  return 0;
}
