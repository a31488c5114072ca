// What changed from one golden set to another.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "golden/set_file.h"

namespace assay {

enum class FileChange : std::uint8_t {
  kAdded,         // only the newer set has it
  kRemoved,       // only the older set has it
  kMoved,         // the same content under another path, whatever else changed
  kContent,       // other content under the same path
  kMode,          // the same content and path, other permission bits
  kOwner,         // the same content, path and permission bits; another owner or group
  kRecord,        // the same file; digests of other algorithms, another size or kind are recorded
  kIncomparable,  // the same path; the sets have no digest of the same algorithm for it
};
inline constexpr std::size_t kFileChanges = 8;

// "added": our own spelling for people and programs.
std::string_view file_change_name(FileChange change);

struct FileDifference {
  FileChange change = FileChange::kAdded;
  const GoldenFile* before = nullptr;  // in the older set; null for kAdded
  const GoldenFile* after = nullptr;   // in the newer set; null for kRemoved
};

// What one of an image's lists lost and gained, in the list's own order.
struct ListDifference {
  std::vector<std::string> removed;
  std::vector<std::string> added;
  bool reordered = false;  // the same items in another order
  bool empty() const { return removed.empty() && added.empty() && !reordered; }
};

struct ImageDifference {
  ListDifference names;
  ListDifference digests;
  ListDifference layers;
  bool empty() const { return names.empty() && digests.empty() && layers.empty(); }
};

struct SetDifference {
  std::vector<FileDifference> files;  // ascending by path, that of `before` where there is one
  std::array<std::uint64_t, kFileChanges> counts{};  // by FileChange
  std::uint64_t unchanged = 0;                       // files of the newer set
  ImageDifference image;   // a set without an image is taken as one with empty lists
  ListDifference signers;  // as "sha256:… name", the key's fingerprint first
  bool empty() const { return files.empty() && image.empty() && signers.empty(); }
};

// Compares what two sets say of files, images and signers. Their names, sources and facts are no
// difference: they never decide. Nor is the layer that a file comes from.
//
// Two files have the same content when they have a digest of the same algorithm and all such digests
// are equal. A mode of 0 is one that its source did not know, and no difference; so is a size of 0
// beside equal digests, and an owner, group or kind that only one of them knows. Of a path with
// several contents each comes and goes for itself: only a single content that went and a single one
// that came are said to be one that changed. Moved files are paired by content, first with those
// that keep the last part of their path; a file is moved once.
//
// Borrows from both sets. Time: that of sorting. Total and pure.
SetDifference diff_golden_sets(const GoldenSet& before, const GoldenSet& after);

}  // namespace assay
