// What of an image's layers a container sees, as overlay file systems lay them over each other.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "golden/set_file.h"

namespace assay {

// One entry of a layer's archive.
struct LayerEntry {
  enum class Kind : std::uint8_t {
    kFile,
    kDirectory,
    kSymlink,
    kHardLink,
    kSpecial,   // a device, pipe or socket
    kWhiteout,  // removes `path` of the layers below
    kOpaque,    // removes what the layers below have in the directory `path`
  };
  Kind kind = Kind::kFile;
  std::string path;    // from the root without a leading slash; "" is the root
  std::string target;  // of a symbolic link as it stands; of a hard link a path like the above
  std::vector<Digest> digests = {};  // of a file
  std::uint64_t size = 0;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;  // of a file
  std::uint32_t gid = 0;
  ContentKind content_kind = ContentKind::kUnknown;
};

// A path as layers have it, for what it means: "./usr//bin/" is "usr/bin".
//
// Fails with kImagePathEscape for one that is absolute or has a component "..", kImageMalformed for
// one over kMaxSetPathBytes. Pure.
Result<std::string> layer_path(std::string_view path);

// Turns an entry named ".wh.x" or ".wh..wh..opq" into what it means. Gives false for AUFS' own
// bookkeeping, which belongs to no image.
//
// Fails with kImageMalformed for a whiteout of nothing or with something below it, kImagePathEscape
// for one of "." or "..". Pure.
Result<bool> take_whiteout(LayerEntry& entry);

// The merged tree. A parent that is a symbolic link is followed inside the image, as containerd and
// umoci do. Not safe to share between threads; no I/O.
class ImageTree {
 public:
  ImageTree();
  ~ImageTree();
  ImageTree(ImageTree&&) noexcept;
  ImageTree& operator=(ImageTree&&) noexcept;

  // Lays a layer over those before it, at most kMaxSetImageItems in all. Its whiteouts act on them
  // only, wherever they stand; of two entries with one path the last stays.
  //
  // Fails with kImagePathEscape for a path through more than 40 symbolic links, kImageMalformed for a
  // hard link to what is not there or is a directory, or for a root that is no directory,
  // kImageTooLarge for a path that is over kMaxSetPathBytes or 256 components once links are
  // followed. The tree is of no use after that.
  Status apply(const std::vector<LayerEntry>& layer);

  // Every regular file that is visible, under each of its names, as a set has them. Its layer is the one
  // that has an entry of this name: of a hard link the one that made the link, while all else is that of
  // the file it was made to, whichever layer that is from.
  std::vector<GoldenFile> files() const;

  // Devices, pipes and sockets that are visible.
  std::uint64_t special() const;

  struct Node;

 private:
  std::unique_ptr<Node> root_;
  std::size_t layers_ = 0;  // applied
};

}  // namespace assay
