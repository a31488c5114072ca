// Layers of images: compressed tar archives whose digests are known.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "golden/image/blob.h"
#include "golden/image/flatten.h"

namespace assay {

struct LayerLimits {
  std::uint64_t max_entries = kMaxSetFiles;
  std::uint64_t max_bytes = std::uint64_t{64}
                            << 30;  // of the archive, and of the files as they say
  // Over the first, the archive may be at most so many times its compressed size.
  std::uint64_t ratio_from_bytes = std::uint64_t{256} << 20;
  std::uint64_t max_ratio = 400;
};

struct LayerWanted {
  std::optional<Digest> blob;               // as it lies there; nothing: not told
  std::optional<std::uint64_t> blob_bytes;  // likewise
  Digest diff_id;                           // of the archive, uncompressed
  std::vector<HashAlg> algorithms;          // of the files; at least one, each once
  LayerLimits limits = {};
  std::function<void(std::uint64_t)> on_bytes = {};  // called with how many of the blob were read
};

// Reads a layer once, and hashes its files while it goes by.
//
//   blob   untrusted; a tar archive, as it is or compressed with gzip or zstd. It may end with the last
//          file's last byte
//
// Returns its entries in their order. A name's bytes stay as they are, except that "./" and doubled
// slashes go.
//
// Fails with
//   kImageTooLarge        over a limit, at once
//   kImageTruncated       fewer bytes than blob_bytes
//   kImageDigestMismatch  more bytes; another blob digest or diff_id than wanted
//   as layer_path() and take_whiteout() for a name that is refused
//   kImageMalformed       not such an archive; a hard link with content; an entry of no known kind;
//                         an owner over 32 bits; an attribute that overlayfs would take for its own
//   and as ByteSource::next(). What the digests do not vouch for is never blamed on the archive: they
// are checked first.
//
// Memory: the table of entries. Safe from any thread.
Result<std::vector<LayerEntry>> read_layer(ByteSource& blob, const LayerWanted& wanted);

}  // namespace assay
