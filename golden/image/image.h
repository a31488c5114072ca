// Golden sets from images: OCI image layouts, and what `docker save` writes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "golden/image/blob.h"
#include "golden/image/layer.h"
#include "golden/rootfs.h"

namespace assay {

enum class ImageForm : std::uint8_t { kOciLayout, kDockerArchive };

struct ImageOptions {
  std::string path;  // a directory, or a tar archive that may be compressed
  ImageForm form = ImageForm::kOciLayout;
  std::string ref;       // a name or tag that the source gives the image; "": there is only one
  std::string platform;  // "linux/arm64" or "linux/arm/v7"; "": there is only one
  std::vector<HashAlg> algorithms = {HashAlg::kSha256};  // at least one, each once
  unsigned threads = 2;                                  // at least one; each reads layers
  LayerLimits limits = {};
  // How many entries of layers may wait, in all, for a layer below that is still being read. A thread
  // that has read more waits with them.
  std::size_t max_waiting_entries = 100'000;
  // Called as layers are read, from any thread, one call at a time. Counts bytes only.
  std::function<void(const BuildProgress&)> on_progress = {};
};

struct ImageFiles {
  std::vector<GoldenFile> files;  // those a container sees, as a set has them
  std::uint64_t special = 0;      // left out: devices, pipes and sockets
  GoldenImage image;              // without names that are none for a set
};

// Hashes every regular file that a container of the image sees, each layer read once, and says of each
// its owner, kind and layer. What an upper layer removes or replaces is not in the answer. Every
// digest on the way from the index to a file is checked.
//
// Fails with
//   kImageAmbiguous       `ref` and `platform` leave no image, or several; says which there are
//   kImageUnsupported     a media type, digest algorithm or layout version that is not known
//   kImageTooLarge        an index, manifest or configuration over 4 MiB, nested over 3 deep; over
//                         128 layers; over kMaxSetFiles
//   kImageMalformed       a part that is missing or not what its place asks for
//   kImageDigestMismatch, kImageTruncated   a part that is not what refers to it says
//   kFileUnreadable       the source itself
//   and as read_layer() and ImageTree::apply(); kGoldenMalformed when there is no file.
//
// Memory: the merged tree, a table of one layer's entries for each thread, and what waits.
Result<ImageFiles> build_from_image(const ImageOptions& options);

// Likewise of parts that lie elsewhere: `options.path` is a name for people.
Result<ImageFiles> build_from_blobs(const BlobStore& blobs, const ImageOptions& options);

}  // namespace assay
