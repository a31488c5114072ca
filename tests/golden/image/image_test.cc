#include "golden/image/image.h"

#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <map>
#include <string>
#include <vector>

#include "core/handle.h"
#include "tests/support/fault_of.h"

namespace assay {
namespace {

using testing::fault_of;

std::string tar(const std::vector<std::string>& paths, const std::string& content) {
  const Handle<::archive, ::archive_write_free> writer(::archive_write_new());
  ::archive_write_set_format_ustar(writer.get());
  std::string out(std::size_t{64} << 10, '\0');
  std::size_t used = 0;
  REQUIRE(::archive_write_open_memory(writer.get(), out.data(), out.size(), &used) == ARCHIVE_OK);
  for (const std::string& path : paths) {
    const Handle<::archive_entry, ::archive_entry_free> entry(::archive_entry_new());
    ::archive_entry_set_pathname(entry.get(), path.c_str());
    ::archive_entry_set_filetype(entry.get(), AE_IFREG);
    ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
    REQUIRE(::archive_write_header(writer.get(), entry.get()) == ARCHIVE_OK);
    ::archive_write_data(writer.get(), content.data(), content.size());
  }
  REQUIRE(::archive_write_close(writer.get()) == ARCHIVE_OK);
  out.resize(used);
  return out;
}

// What `docker save` writes, in memory, of an image whose layer "0" can be read only once the end of
// another has been.
class Layers final : public BlobStore {
 public:
  Layers(const std::vector<std::string>& layers, const std::string& before_first)
      : before_first_(before_first) {
    std::string names;
    std::string ids;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::string comma = i == 0 ? "" : ",";
      names += comma + '"' + std::to_string(i) + '"';
      ids += comma + '"' + format_digest(hash(HashAlg::kSha256, as_bytes(layers[i]))) + '"';
      put(std::to_string(i), layers[i]);
      early_[std::to_string(i)] = false;
    }
    put("config", R"({"rootfs":{"diff_ids":[)" + ids + "]}}");
    put("manifest.json", R"([{"Config":"config","Layers":[)" + names + "]}]");
  }

  void put(const std::string& name, std::string content) { parts_[name] = std::move(content); }

  // Whether a layer was opened while the first was still being read.
  bool opened_before_first_ended(const std::string& name) const { return early_.at(name); }

  Result<std::unique_ptr<ByteSource>> open(const std::string& name) const override {
    const auto found = parts_.find(name);
    if (found == parts_.end()) return fail(FaultId::kImageMalformed, name);
    if (!first_ended_ && early_.contains(name)) early_.at(name) = true;
    return std::make_unique<Source>(*this, name, found->second);
  }

 private:
  class Source final : public ByteSource {
   public:
    Source(const Layers& layers, std::string name, std::string text)
        : layers_(layers), name_(std::move(name)), text_(std::move(text)) {}

    Result<ByteView> next() override {
      if (name_ == "0" && !done_ && !layers_.before_first_.empty()) layers_.latch_.wait();
      if (!std::exchange(done_, true)) return as_bytes(text_);
      if (name_ == "0") layers_.first_ended_ = true;
      if (name_ == layers_.before_first_ && !layers_.latch_.try_wait()) layers_.latch_.count_down();
      return ByteView();
    }

   private:
    const Layers& layers_;
    std::string name_;
    std::string text_;
    bool done_ = false;
  };

  std::map<std::string, std::string> parts_;
  std::string before_first_;  // "": nothing is waited for
  mutable std::latch latch_{1};
  mutable std::atomic<bool> first_ended_ = false;
  mutable std::map<std::string, std::atomic<bool>> early_ = {};
};

ImageOptions options(unsigned threads, std::size_t max_waiting_entries) {
  return {.path = "image",
          .form = ImageForm::kDockerArchive,
          .threads = threads,
          .max_waiting_entries = max_waiting_entries};
}

// Each layer replaces "a", and brings a file of its own.
std::vector<std::string> four_layers() {
  std::vector<std::string> out;
  for (const std::string name : {"0", "1", "2", "3"}) out.push_back(tar({"a", "f" + name}, name));
  return out;
}

void check_files(const Result<ImageFiles>& got) {
  REQUIRE(got);
  REQUIRE(got->files.size() == 5);
  CHECK(got->files[0].path == "/a");
  CHECK(got->files[0].layer == 3);
  CHECK(got->files[0].digests.front() == hash(HashAlg::kSha256, as_bytes("3")));
  CHECK(got->files[1].path == "/f0");
}

}  // namespace

TEST_CASE("build_from_blobs: layers lie in their order, in whatever order they are read") {
  for (const unsigned threads : {1U, 2U, 4U, 9U}) {
    for (const std::size_t waiting : {0U, 1U, 1000U}) {
      CAPTURE(threads);
      CAPTURE(waiting);
      check_files(build_from_blobs(Layers(four_layers(), ""), options(threads, waiting)));
    }
  }
  // The other thread has read all others before the first.
  check_files(build_from_blobs(Layers(four_layers(), "3"), options(2, 4)));
}

TEST_CASE("build_from_blobs: no thread reads on while as much waits as may") {
  const Layers layers(four_layers(), "2");
  // The two entries of layer 1 may wait; with those of layer 2 it is enough.
  check_files(build_from_blobs(layers, options(2, 2)));
  CHECK(layers.opened_before_first_ended("2"));
  CHECK_FALSE(layers.opened_before_first_ended("3"));
}

TEST_CASE("build_from_blobs: a layer that is refused ends the wait of those above") {
  std::vector<std::string> refused = four_layers();
  refused[0] = tar({"../a"}, "0");
  CHECK(fault_of(build_from_blobs(Layers(refused, "1"), options(2, 0))) ==
        FaultId::kImagePathEscape);
  // Likewise one that cannot be laid over those below.
  refused[0] = tar({"."}, "0");
  CHECK(fault_of(build_from_blobs(Layers(refused, "1"), options(2, 0))) ==
        FaultId::kImageMalformed);
}

}  // namespace assay
