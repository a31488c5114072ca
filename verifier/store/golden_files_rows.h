// Rows of `golden_groups` and `golden_group_files`: files, stored once for all sets that share them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "verifier/store/golden.h"
#include "verifier/store/sqlite.h"

namespace assay {

// Digests as both tables have them: of each its size in one byte, then its bytes.
Bytes pack_digests(const std::vector<Digest>& digests);
std::optional<std::vector<Digest>> unpack_digests(ByteView packed);

// Gives a set its files, those of each layer of its image as one group: an earlier group with the same
// content, or a new one.
Status write_files(Database& database, std::int64_t set_id, const std::vector<GoldenFile>& files);

struct FileRange {
  std::uint64_t offset;
  std::uint32_t limit;
};
// Of a set, layer by layer, in each by path.
Result<std::vector<GoldenFile>> read_files_of(Database& database, std::int64_t set_id,
                                              FileRange range);

Result<std::vector<GoldenGroupId>> read_groups_of(Database& database, std::int64_t set_id);

// About how many digests groups have, as if all were SHA-256.
Result<std::uint64_t> read_digest_count(Database& database, std::span<const GoldenGroupId> groups);

// Every digest of a group's files, one after the other.
Result<std::vector<Digest>> read_group_digests(Database& database, GoldenGroupId group);

}  // namespace assay
