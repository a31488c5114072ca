#include "verifier/store/golden_files_rows.h"

#include <map>
#include <optional>
#include <utility>

namespace assay {
namespace {

constexpr std::size_t kPackedSha256 = 1 + hash_size(HashAlg::kSha256);

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

void append_number(std::uint64_t number, Bytes& out) {
  for (int shift = 0; shift < 64; shift += 8) {
    out.push_back(static_cast<std::uint8_t>(number >> shift));
  }
}

void append_optional(const std::optional<std::uint32_t>& number, Bytes& out) {
  append_number(number ? 1 : 0, out);
  append_number(number.value_or(0), out);
}

// By which two groups are known to be the same: every member of every file but its layer, each of a known
// length.
Digest content_of(const std::vector<const GoldenFile*>& files) {
  Hasher hasher(HashAlg::kSha256);
  hasher.start();
  Bytes line;
  for (const GoldenFile* each : files) {
    const GoldenFile& file = *each;
    line.clear();
    append_number(file.path.size(), line);
    const ByteView path = as_bytes(file.path);
    line.insert(line.end(), path.begin(), path.end());
    append_number(file.digests.size(), line);
    encode_digests(file.digests, line);
    append_number(file.size, line);
    append_number(file.mode, line);
    append_optional(file.uid, line);
    append_optional(file.gid, line);
    append_number(static_cast<std::uint64_t>(file.kind), line);
    hasher.add(line);
  }
  return hasher.finish();
}

Result<std::int64_t> insert_group(Database& database, const Digest& content,
                                  const std::vector<const GoldenFile*>& files) {
  Bytes all;
  for (const GoldenFile* file : files) encode_digests(file->digests, all);
  ASSAY_OK(database.run("INSERT INTO golden_groups (content, files, digests) VALUES (?, ?, ?)",
                        content, files.size(), all));
  const std::int64_t group = database.last_insert_id();
  Bytes digests;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const GoldenFile& file = *files[i];
    digests.clear();
    encode_digests(file.digests, digests);
    ASSAY_OK(database.run("INSERT INTO golden_group_files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                          group, i, as_bytes(file.path), digests, file.size, file.mode, file.uid,
                          file.gid, content_kind_name(file.kind)));
  }
  return group;
}

using Layer = std::optional<std::uint8_t>;

Status write_group(Database& database, std::int64_t set_id, const Layer& layer,
                   const std::vector<const GoldenFile*>& files) {
  const Digest content = content_of(files);
  ASSAY_TRY(auto id, database.first<std::int64_t>("SELECT id FROM golden_groups WHERE content = ?",
                                                  content));
  if (!id) {
    ASSAY_TRY(id, insert_group(database, content, files));
  }
  // Those without a layer come first.
  const int position = layer ? *layer + 1 : 0;
  return database.run("INSERT INTO golden_set_groups VALUES (?, ?, ?, ?)", set_id, position, *id,
                      layer);
}

Result<GoldenFile> take_file(const Database& database, Statement& row) {
  GoldenFile file{.path = std::string(as_text(row.take<Bytes>())), .digests = {}};
  auto digests = unpack_digests(row.take<Bytes>());
  if (!digests) return database.malformed("a golden digest");
  file.digests = *std::move(digests);
  file.size = row.take<std::uint64_t>();
  file.mode = row.take<std::uint32_t>();
  file.uid = row.take_optional<std::uint32_t>();
  file.gid = row.take_optional<std::uint32_t>();
  const auto kind = row.take<std::string>();
  file.kind = parse_content_kind(kind).value_or(ContentKind::kUnknown);
  if (content_kind_name(file.kind) != kind) return database.malformed("a golden file's kind");
  return file;
}

}  // namespace

Bytes pack_digests(const std::vector<Digest>& digests) {
  Bytes out;
  encode_digests(digests, out);
  return out;
}

std::optional<std::vector<Digest>> unpack_digests(ByteView packed) {
  std::vector<Digest> digests;
  digests.reserve(packed.size() / kPackedSha256);
  ByteReader reader(packed);
  while (!reader.at_end()) {
    const std::uint8_t size = reader.u8();
    const auto digest = digest_of_size(reader.take(size));
    if (!digest) return std::nullopt;
    digests.push_back(*digest);
  }
  return digests;
}

Status write_files(Database& database, std::int64_t set_id, const std::vector<GoldenFile>& files) {
  std::map<Layer, std::vector<const GoldenFile*>> groups;
  for (const GoldenFile& file : files) groups[file.layer].push_back(&file);
  for (const auto& [layer, group] : groups) {
    ASSAY_OK(write_group(database, set_id, layer, group));
  }
  return {};
}

Result<std::vector<GoldenFile>> read_files_of(Database& database, std::int64_t set_id,
                                              FileRange range) {
  std::vector<GoldenFile> files;
  std::uint64_t skip = range.offset;
  ASSAY_TRY(Statement groups,
            database.query("SELECT group_id, layer, files FROM golden_set_groups JOIN "
                           "golden_groups ON id = group_id WHERE set_id = ? ORDER BY position",
                           set_id));
  while (files.size() < range.limit) {
    ASSAY_TRY(const bool more, groups.next());
    if (!more) break;
    const auto group = groups.take<std::int64_t>();
    const auto layer = groups.take_optional<std::uint32_t>();
    const auto count = groups.take<std::uint64_t>();
    if (skip >= count) {
      skip -= count;
      continue;
    }
    ASSAY_TRY(
        Statement rows,
        database.query(
            "SELECT path, digests, size, mode, uid, gid, kind FROM "
            "golden_group_files WHERE group_id = ? AND position >= ? ORDER BY position LIMIT ?",
            group, skip, range.limit - files.size()));
    skip = 0;
    for (;;) {
      ASSAY_TRY(const bool row, rows.next());
      if (!row) break;
      ASSAY_TRY(GoldenFile file, take_file(database, rows));
      if (layer) file.layer = static_cast<std::uint8_t>(*layer);
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

Result<std::uint64_t> read_digest_count(Database& database, std::span<const GoldenGroupId> groups) {
  std::uint64_t bytes = 0;
  for (const GoldenGroupId group : groups) {
    ASSAY_TRY(const auto packed, database.first<std::uint64_t>(
                                     "SELECT length(digests) FROM golden_groups WHERE id = ?",
                                     static_cast<std::int64_t>(group)));
    bytes += packed.value_or(0);
  }
  return bytes / kPackedSha256;
}

Result<std::vector<Digest>> read_group_digests(Database& database, GoldenGroupId group) {
  ASSAY_TRY(const auto packed,
            database.first<Bytes>("SELECT digests FROM golden_groups WHERE id = ?",
                                  static_cast<std::int64_t>(group)));
  if (!packed) return fail(FaultId::kNotFound, "a group of golden files is gone");
  auto digests = unpack_digests(*packed);
  if (!digests) return database.malformed("a golden digest");
  return *std::move(digests);
}

}  // namespace assay
