// Where an image's parts lie: an OCI layout's directory, or a tar archive of one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/bytes.h"
#include "core/result.h"

namespace assay {

// Bytes in order. For one thread.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The next bytes, until the next call; none at the end. Fails with kFileUnreadable.
  virtual Result<ByteView> next() = 0;
};

class BlobStore {
 public:
  virtual ~BlobStore() = default;
  // The part at `path`, "blobs/sha256/…". Safe from any thread. Fails with kImageMalformed when there is
  // none, kImagePathEscape for a link that leads out or on and on, kFileUnreadable when it cannot be read.
  virtual Result<std::unique_ptr<ByteSource>> open(const std::string& path) const = 0;
};

// A directory, or a tar archive, compressed or not. A part may be a link to another, as `docker save`
// once wrote the second of two equal layers; directories may not, and nothing outside is ever opened.
// Fails with kFileUnreadable.
Result<std::unique_ptr<BlobStore>> open_blobs(const std::string& path);

}  // namespace assay
