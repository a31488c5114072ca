#include "golden/image/manifest.h"

#include <doctest/doctest.h>

#include <map>

using namespace assay;

namespace {

// Blobs in memory.
class Blobs final : public BlobStore {
 public:
  void put(const std::string& path, std::string content) { parts_[path] = std::move(content); }

  // Keeps `content` under its digest, and gives a descriptor of it.
  std::string blob(const std::string& type, const std::string& content) {
    const std::string hex = to_hex(hash(HashAlg::kSha256, as_bytes(content)).bytes());
    put("blobs/sha256/" + hex, content);
    return R"({"mediaType":")" + type + R"(","digest":"sha256:)" + hex + R"(","size":)" +
           std::to_string(content.size()) + "}";
  }

  Result<std::unique_ptr<ByteSource>> open(const std::string& path) const override {
    const auto found = parts_.find(path);
    if (found == parts_.end()) return fail(FaultId::kImageMalformed, path);
    return std::unique_ptr<ByteSource>(new Once(found->second));
  }

 private:
  class Once final : public ByteSource {
   public:
    explicit Once(std::string text) : text_(std::move(text)) {}
    Result<ByteView> next() override {
      const bool first = !std::exchange(done_, true);
      return first ? as_bytes(text_) : ByteView();
    }

   private:
    std::string text_;
    bool done_ = false;
  };

  std::map<std::string, std::string> parts_;
};

constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";

std::string index_of(const std::string& descriptor, std::size_t times) {
  std::string out = R"({"schemaVersion":2,"manifests":[)";
  for (std::size_t i = 0; i < times; ++i) out += (i == 0 ? "" : ",") + descriptor;
  return out + "]}";
}

std::string fault_of(Blobs& blobs, const std::string& index) {
  blobs.put("oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  blobs.put("index.json", index);
  const auto got = read_oci_layout(blobs, {});
  return got ? "" : std::string(fault_name(got.error().id));
}

}  // namespace

TEST_CASE("read_oci_layout: an index that names many others is refused before all are read") {
  Blobs blobs;
  const std::string leaf = blobs.blob(kIndexType, R"({"schemaVersion":2,"manifests":[]})");
  CHECK(fault_of(blobs, index_of(leaf, 1024)) == "image.ambiguous");
  CHECK(fault_of(blobs, index_of(leaf, 1025)) == "image.too_large");
  const std::string wide = blobs.blob(kIndexType, index_of(leaf, 40));
  CHECK(fault_of(blobs, index_of(wide, 40)) == "image.too_large");
}

TEST_CASE("read_oci_layout: indexes in indexes in indexes end") {
  Blobs blobs;
  std::string deep = blobs.blob(kIndexType, R"({"schemaVersion":2,"manifests":[]})");
  for (int i = 0; i < 3; ++i) deep = blobs.blob(kIndexType, index_of(deep, 1));
  CHECK(fault_of(blobs, index_of(deep, 1)) == "image.too_large");
}

TEST_CASE("read_oci_layout: what is no image, or no JSON, is refused for its own reason") {
  Blobs blobs;
  CHECK(fault_of(blobs, index_of(blobs.blob("text/plain", "x"), 1)) == "image.unsupported");
  CHECK(fault_of(blobs, "{") == "image.malformed");
  CHECK(fault_of(blobs, index_of(blobs.blob(kIndexType, "[]"), 1)) == "image.malformed");
}
