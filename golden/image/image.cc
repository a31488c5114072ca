#include "golden/image/image.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "core/text.h"
#include "golden/image/manifest.h"

namespace assay {
namespace {

using Table = std::vector<LayerEntry>;

// Threads that take layers from one list until it is done or one of them has failed. What they read is
// laid into the tree as soon as its turn comes, so that the tables of all layers are never there at once.
class LayerRun {
 public:
  LayerRun(const BlobStore& blobs, const ImageOptions& options, std::vector<ImageLayer> layers)
      : blobs_(blobs), options_(options), layers_(std::move(layers)) {
    for (const ImageLayer& layer : layers_) progress_.bytes_total += layer.bytes.value_or(0);
  }

  Result<ImageTree> run() && {
    {
      std::vector<std::jthread> others;
      for (unsigned i = 1; i < options_.threads; ++i) others.emplace_back([this] { work(); });
      work();
    }
    if (fault_) return tl::unexpected<Fault>(*std::move(fault_));
    return std::move(tree_);
  }

 private:
  void work() {
    for (std::size_t i = next_++; i < layers_.size() && !failed_; i = next_++) {
      auto table = read(layers_[i]);
      std::unique_lock lock(mutex_);
      if (!table) {
        fail_with(std::move(table).error());
        return;
      }
      waiting_entries_ += table->size();
      waiting_.emplace(i, *std::move(table));
      lay_down();
      // Whoever reads the layer that all wait for is not in here.
      room_.wait(lock,
                 [this] { return failed_ || waiting_entries_ <= options_.max_waiting_entries; });
    }
  }

  // The tables whose turn has come.
  void lay_down() {
    for (auto it = waiting_.find(laid_); it != waiting_.end() && !failed_;
         it = waiting_.find(laid_)) {
      const Table table = std::move(it->second);
      waiting_.erase(it);
      waiting_entries_ -= table.size();
      if (Status done = tree_.apply(table); !done) fail_with(std::move(done).error());
      ++laid_;
    }
    room_.notify_all();
  }

  void fail_with(Fault fault) {
    failed_ = true;
    if (!fault_) fault_ = std::move(fault);
    room_.notify_all();
  }

  Result<Table> read(const ImageLayer& layer) {
    ASSAY_TRY(const std::unique_ptr<ByteSource> source, blobs_.open(layer.path));
    return read_layer(*source, {.blob = layer.blob,
                                .blob_bytes = layer.bytes,
                                .diff_id = layer.diff_id,
                                .algorithms = options_.algorithms,
                                .limits = options_.limits,
                                .on_bytes = [this](std::uint64_t bytes) { count(bytes); }});
  }

  void count(std::uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    progress_.bytes_done += bytes;
    if (options_.on_progress) options_.on_progress(progress_);
  }

  const BlobStore& blobs_;
  const ImageOptions& options_;
  const std::vector<ImageLayer> layers_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> failed_ = false;

  std::mutex mutex_;  // guards all below
  BuildProgress progress_;
  std::map<std::size_t, Table> waiting_;
  std::size_t waiting_entries_ = 0;
  std::condition_variable room_;  // waiting_entries_ went down, or failed_
  std::size_t laid_ = 0;          // layers
  ImageTree tree_;
  std::optional<Fault> fault_;
};

}  // namespace

Result<ImageFiles> build_from_image(const ImageOptions& options) {
  ASSAY_TRY(const std::unique_ptr<BlobStore> blobs, open_blobs(options.path));
  return build_from_blobs(*blobs, options);
}

Result<ImageFiles> build_from_blobs(const BlobStore& blobs, const ImageOptions& options) {
  ASSAY_CHECK(!options.algorithms.empty() && options.threads > 0);
  const ImageChoice choice{.ref = options.ref, .platform = options.platform};
  ASSAY_TRY(ImageManifest image, options.form == ImageForm::kOciLayout
                                     ? read_oci_layout(blobs, choice)
                                     : read_docker_archive(blobs, choice));
  std::erase_if(image.names, [](const std::string& name) { return !valid_set_name(name); });
  if (image.names.size() > kMaxSetImageItems) {
    return fail(FaultId::kImageTooLarge, "over " + std::to_string(kMaxSetImageItems) + " names");
  }
  ImageFiles out;
  out.image = {.names = std::move(image.names), .digests = std::move(image.digests), .layers = {}};
  for (const ImageLayer& layer : image.layers) out.image.layers.push_back(layer.diff_id);
  static_assert(kMaxImageLayers <= kMaxSetImageItems);
  ASSAY_TRY(const ImageTree tree, LayerRun(blobs, options, std::move(image.layers)).run());
  out.files = tree.files();
  out.special = tree.special();
  if (out.files.empty()) {
    return fail(FaultId::kGoldenMalformed, escape_bytes(options.path) + " holds no regular file");
  }
  if (out.files.size() > kMaxSetFiles || std::ranges::any_of(out.files, [](const GoldenFile& f) {
        return f.path.size() > kMaxSetPathBytes;
      })) {
    return fail(FaultId::kImageTooLarge, "too many files, or a path that is too long");
  }
  return out;
}

}  // namespace assay
