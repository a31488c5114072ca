#include "verifier/store/golden_files_rows.h"

#include <algorithm>
#include <utility>

namespace assay {
namespace {

// Each digest's size names its algorithm: no two of ours share one.
void encode_digests(const std::vector<Digest>& digests, Bytes& out) {
  for (const Digest& digest : digests) {
    const ByteView bytes = digest.bytes();
    out.push_back(static_cast<std::uint8_t>(bytes.size()));
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
}

std::optional<Digest> digest_of_size(ByteView bytes) {
  for (const HashAlg alg : kAllHashAlgs) {
    if (const auto digest = Digest::from(alg, bytes)) return digest;
  }
  return std::nullopt;
}

std::optional<std::vector<Digest>> decode_digests(ByteView encoded) {
  std::vector<Digest> digests;
  ByteReader reader(encoded);
  while (!reader.at_end()) {
    const std::uint8_t size = reader.u8();
    const auto digest = digest_of_size(reader.take(size));
    if (!digest) return std::nullopt;
    digests.push_back(*digest);
  }
  return digests;
}

void append_number(std::uint64_t number, Bytes& out) {
  for (int shift = 0; shift < 64; shift += 8) {
    out.push_back(static_cast<std::uint8_t>(number >> shift));
  }
}

// By which two groups are known to be the same: every member of every file, with its length.
Digest content_of(std::span<const GoldenFile> files) {
  Hasher hasher(HashAlg::kSha256);
  hasher.start();
  Bytes line;
  for (const GoldenFile& file : files) {
    line.clear();
    append_number(file.path.size(), line);
    const ByteView path = as_bytes(file.path);
    line.insert(line.end(), path.begin(), path.end());
    append_number(file.digests.size(), line);
    encode_digests(file.digests, line);
    append_number(file.size, line);
    append_number(file.mode, line);
    hasher.add(line);
  }
  return hasher.finish();
}

Result<std::int64_t> insert_group(Database& database, const Digest& content,
                                  std::span<const GoldenFile> files) {
  Bytes all;
  for (const GoldenFile& file : files) encode_digests(file.digests, all);
  ASSAY_OK(database.run("INSERT INTO golden_groups (content, files, digests) VALUES (?, ?, ?)",
                        content, files.size(), all));
  const std::int64_t group = database.last_insert_id();
  Bytes digests;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const GoldenFile& file = files[i];
    digests.clear();
    encode_digests(file.digests, digests);
    ASSAY_OK(
        database.run("INSERT INTO golden_group_files (group_id, position, path, digests, "
                     "size, mode) VALUES (?, ?, ?, ?, ?, ?)",
                     group, i, as_bytes(file.path), digests, file.size, file.mode));
  }
  return group;
}

Result<GoldenFile> take_file(const Database& database, Statement& row) {
  GoldenFile file{.path = std::string(as_text(row.take<Bytes>())), .digests = {}};
  auto digests = decode_digests(row.take<Bytes>());
  if (!digests) return database.malformed("a golden digest");
  file.digests = *std::move(digests);
  file.size = row.take<std::uint64_t>();
  file.mode = row.take<std::uint32_t>();
  return file;
}

}  // namespace

Status write_group(Database& database, std::int64_t set_id, std::uint32_t position,
                   const GoldenGroup& group) {
  const Digest content = content_of(group.files);
  ASSAY_TRY(auto id, database.first<std::int64_t>("SELECT id FROM golden_groups WHERE content = ?",
                                                  content));
  if (!id) {
    ASSAY_TRY(id, insert_group(database, content, group.files));
  }
  return database.run("INSERT INTO golden_set_groups VALUES (?, ?, ?, ?)", set_id, position, *id,
                      group.layer);
}

Result<std::vector<GoldenFile>> read_files_of(Database& database, std::int64_t set_id,
                                              FileRange range) {
  std::vector<GoldenFile> files;
  std::uint64_t skip = range.offset;
  ASSAY_TRY(Statement groups,
            database.query("SELECT group_id, golden_groups.files FROM golden_set_groups JOIN "
                           "golden_groups ON id = group_id WHERE set_id = ? ORDER BY position",
                           set_id));
  while (files.size() < range.limit) {
    ASSAY_TRY(const bool more, groups.next());
    if (!more) break;
    const auto group = groups.take<std::int64_t>();
    const auto count = groups.take<std::uint64_t>();
    if (skip >= count) {
      skip -= count;
      continue;
    }
    ASSAY_TRY(Statement rows,
              database.query("SELECT path, digests, size, mode FROM golden_group_files WHERE "
                             "group_id = ? AND position >= ? ORDER BY position LIMIT ?",
                             group, skip, range.limit - files.size()));
    skip = 0;
    for (;;) {
      ASSAY_TRY(const bool row, rows.next());
      if (!row) break;
      ASSAY_TRY(GoldenFile file, take_file(database, rows));
      files.push_back(std::move(file));
    }
  }
  return files;
}

Result<std::vector<GoldenGroupId>> read_groups_of(Database& database, std::int64_t set_id) {
  ASSAY_TRY(Statement rows,
            database.query("SELECT group_id FROM golden_set_groups WHERE set_id = ?", set_id));
  std::vector<GoldenGroupId> groups;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return groups;
    groups.push_back(GoldenGroupId{rows.take<std::int64_t>()});
  }
}

Result<std::vector<Digest>> read_group_digests(Database& database, GoldenGroupId group) {
  ASSAY_TRY(const auto packed,
            database.first<Bytes>("SELECT digests FROM golden_groups WHERE id = ?",
                                  static_cast<std::int64_t>(group)));
  if (!packed) return fail(FaultId::kNotFound, "a group of golden files is gone");
  auto digests = decode_digests(*packed);
  if (!digests) return database.malformed("a golden digest");
  return *std::move(digests);
}

}  // namespace assay
