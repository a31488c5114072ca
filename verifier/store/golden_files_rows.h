// Rows of `golden_groups` and `golden_group_files`: files, stored once for all sets that share them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "verifier/store/golden.h"
#include "verifier/store/sqlite.h"

namespace assay {

// Files of a set that come from one layer of its image; of a set without layers, all of them.
struct GoldenGroup {
  std::optional<std::uint32_t> layer;
  std::span<const GoldenFile> files;
};

// Gives the set the group's files: those of an earlier group with the same content, or new ones.
Status write_group(Database& database, std::int64_t set_id, std::uint32_t position,
                   const GoldenGroup& group);

struct FileRange {
  std::uint64_t offset;
  std::uint32_t limit;
};
// Of a set, layer by layer, in each by path.
Result<std::vector<GoldenFile>> read_files_of(Database& database, std::int64_t set_id,
                                              FileRange range);

Result<std::vector<GoldenGroupId>> read_groups_of(Database& database, std::int64_t set_id);

// Every digest of a group's files, one after the other.
Result<std::vector<Digest>> read_group_digests(Database& database, GoldenGroupId group);

}  // namespace assay
