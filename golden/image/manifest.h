// The JSON of images: from an index down to the list of layers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "golden/image/blob.h"

namespace assay {

inline constexpr std::size_t kMaxImageJsonBytes = std::size_t{4} << 20;
inline constexpr std::size_t kMaxImageLayers = 128;

struct ImageLayer {
  std::string path;                    // of the blob
  std::optional<Digest> blob;          // nothing: the source does not tell
  std::optional<std::uint64_t> bytes;  // likewise
  Digest diff_id = Digest::zero(HashAlg::kSha256);
};

struct ImageManifest {
  std::vector<std::string> names;
  std::vector<Digest> digests;  // index, manifest, config: those that there are
  std::vector<ImageLayer> layers;
};

struct ImageChoice {
  std::string ref;
  std::string platform;
};

// Finds the one image that `choice` names. Fails as build_from_image() says.
//
// OCI image-spec 1.1: image-layout.md, image-index.md, manifest.md, config.md.
Result<ImageManifest> read_oci_layout(const BlobStore& blobs, const ImageChoice& choice);

// Likewise of `docker save`: manifest.json, or since version 25 an OCI layout beside it.
Result<ImageManifest> read_docker_archive(const BlobStore& blobs, const ImageChoice& choice);

}  // namespace assay
