#include "verifier/store/golden_rows.h"

#include <algorithm>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

constexpr std::string_view kSelectSets =
    "SELECT id, name, digest, generation, source, files, hashes, "
    "(SELECT count(*) FROM golden_signers WHERE set_id = id), pushed_at FROM golden_sets ";

// A set as it stands, with its row.
struct StoredSet {
  std::int64_t id = 0;
  GoldenRecord record;
};

// Each digest's size names its algorithm: no two of ours share one.
Bytes encode_digests(const std::vector<Digest>& digests) {
  Bytes out;
  for (const Digest& digest : digests) {
    const ByteView bytes = digest.bytes();
    out.push_back(static_cast<std::uint8_t>(bytes.size()));
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  return out;
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

std::uint64_t count_hashes(const GoldenSet& set) {
  std::vector<Digest> all;
  for (const GoldenFile& file : set.files) {
    all.insert(all.end(), file.digests.begin(), file.digests.end());
  }
  std::ranges::sort(all);
  return static_cast<std::uint64_t>(std::ranges::unique(all).begin() - all.begin());
}

Result<StoredSet> take_set(const Database& database, Statement& row) {
  StoredSet set{.id = row.take<std::int64_t>(), .record = {.name = row.take<std::string>()}};
  const auto digest = parse_digest(row.take<std::string>());
  if (!digest) return database.malformed("a golden set's digest");
  set.record.digest = *digest;
  set.record.generation = row.take<std::uint64_t>();
  set.record.source = row.take<std::string>();
  set.record.files = row.take<std::uint64_t>();
  set.record.hashes = row.take<std::uint64_t>();
  set.record.signers = row.take<std::uint64_t>();
  set.record.pushed_at = row.take<Instant>();
  return set;
}

Result<std::vector<StoredSet>> read_sets(Database& database) {
  ASSAY_TRY(Statement rows, database.query(std::string(kSelectSets) + "ORDER BY name"));
  std::vector<StoredSet> sets;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return sets;
    ASSAY_TRY(StoredSet set, take_set(database, rows));
    sets.push_back(std::move(set));
  }
}

Result<std::optional<StoredSet>> find_set(Database& database, std::string_view name) {
  ASSAY_TRY(Statement rows, database.query(std::string(kSelectSets) + "WHERE name = ?", name));
  ASSAY_TRY(const bool row, rows.next());
  if (!row) return std::nullopt;
  ASSAY_TRY(StoredSet set, take_set(database, rows));
  return set;
}

Result<StoredSet> existing_set(Database& database, std::string_view name) {
  ASSAY_TRY(std::optional<StoredSet> set, find_set(database, name));
  if (!set) return fail(FaultId::kNotFound, "no golden set is called " + escape_bytes(name));
  return *std::move(set);
}

Status insert_files(Database& database, std::int64_t set_id, const std::vector<GoldenFile>& files) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    const GoldenFile& file = files[i];
    ASSAY_OK(database.run("INSERT INTO golden_files VALUES (?, ?, ?, ?, ?, ?)", set_id, i,
                          as_bytes(file.path), encode_digests(file.digests), file.size, file.mode));
  }
  return {};
}

Status insert_signers(Database& database, std::int64_t set_id,
                      const std::vector<GoldenSigner>& signers) {
  for (std::size_t i = 0; i < signers.size(); ++i) {
    ASSAY_OK(database.run("INSERT INTO golden_signers VALUES (?, ?, ?, ?)", set_id, i,
                          as_bytes(signers[i].name), signers[i].key.encoded()));
  }
  return {};
}

Status replace_set(Database& database, std::optional<std::int64_t> old, const GoldenRecord& record,
                   const GoldenSet& set) {
  // Its files and signers go with it.
  if (old) ASSAY_OK(database.run("DELETE FROM golden_sets WHERE id = ?", *old));
  ASSAY_OK(database.run(
      "INSERT INTO golden_sets (name, digest, generation, source, files, hashes, pushed_at) "
      "VALUES (?, ?, ?, ?, ?, ?, ?)",
      record.name, record.digest, record.generation, record.source, record.files, record.hashes,
      record.pushed_at));
  const std::int64_t set_id = database.last_insert_id();
  ASSAY_OK(insert_files(database, set_id, set.files));
  return insert_signers(database, set_id, set.signers);
}

Result<std::vector<GoldenSigner>> read_signers_of(Database& database, std::int64_t set_id) {
  ASSAY_TRY(Statement rows,
            database.query(
                "SELECT name, key FROM golden_signers WHERE set_id = ? ORDER BY position", set_id));
  std::vector<GoldenSigner> signers;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return signers;
    std::string name(as_text(rows.take<Bytes>()));
    auto key = parse_file_signer(rows.take<Bytes>());
    if (!key) return database.malformed("a golden signer's key");
    signers.push_back({std::move(name), *std::move(key)});
  }
}

}  // namespace

Result<GoldenPush> write_golden_set(Database& database, const GoldenSet& set, const Digest& digest,
                                    Instant now) {
  ASSAY_TRY(std::optional<StoredSet> old, find_set(database, set.name));
  if (old && old->record.digest == digest) {
    return GoldenPush{.set = std::move(old->record), .changed = false};
  }
  GoldenPush push{.set = {.name = set.name,
                          .digest = digest,
                          .generation = old ? old->record.generation + 1 : 1,
                          .source = set.source,
                          .files = set.files.size(),
                          .hashes = count_hashes(set),
                          .signers = set.signers.size(),
                          .pushed_at = now},
                  .changed = true};
  ASSAY_OK(replace_set(database, old ? std::optional(old->id) : std::nullopt, push.set, set));
  return push;
}

Result<std::vector<GoldenRecord>> read_golden_sets(Database& database) {
  ASSAY_TRY(std::vector<StoredSet> sets, read_sets(database));
  std::vector<GoldenRecord> records;
  for (StoredSet& set : sets) records.push_back(std::move(set.record));
  return records;
}

Result<GoldenRecord> read_golden_set(Database& database, std::string_view name) {
  ASSAY_TRY(StoredSet set, existing_set(database, name));
  return std::move(set.record);
}

Result<std::vector<GoldenFile>> read_golden_files(Database& database, std::string_view name,
                                                  FileRange range) {
  ASSAY_TRY(const StoredSet set, existing_set(database, name));
  ASSAY_TRY(Statement rows,
            database.query("SELECT path, digests, size, mode FROM golden_files WHERE set_id = ? "
                           "AND position >= ? ORDER BY position LIMIT ?",
                           set.id, std::min(range.offset, set.record.files), range.limit));
  std::vector<GoldenFile> files;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return files;
    GoldenFile file{.path = std::string(as_text(rows.take<Bytes>())), .digests = {}};
    auto digests = decode_digests(rows.take<Bytes>());
    if (!digests) return database.malformed("a golden digest");
    file.digests = *std::move(digests);
    file.size = rows.take<std::uint64_t>();
    file.mode = rows.take<std::uint32_t>();
    files.push_back(std::move(file));
  }
}

Result<std::vector<GoldenSigner>> read_golden_signers(Database& database, std::string_view name) {
  ASSAY_TRY(const StoredSet set, existing_set(database, name));
  return read_signers_of(database, set.id);
}

Result<GoldenSnapshot> read_golden_snapshot(Database& database) {
  ASSAY_TRY(const std::vector<StoredSet> sets, read_sets(database));
  GoldenSnapshot::Builder builder;
  for (const StoredSet& set : sets) {
    const auto index = builder.add_set(set.record.name);
    ASSAY_TRY(std::vector<GoldenSigner> signers, read_signers_of(database, set.id));
    for (GoldenSigner& signer : signers) builder.add_signer(index, std::move(signer.key));
    ASSAY_TRY(Statement rows,
              database.query("SELECT digests FROM golden_files WHERE set_id = ?", set.id));
    for (;;) {
      ASSAY_TRY(const bool row, rows.next());
      if (!row) break;
      const auto digests = decode_digests(rows.take<Bytes>());
      if (!digests) return database.malformed("a golden digest");
      for (const Digest& digest : *digests) builder.add(index, digest);
    }
  }
  return std::move(builder).build();
}

}  // namespace assay
