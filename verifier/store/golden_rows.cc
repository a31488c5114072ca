#include "verifier/store/golden_rows.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "core/text.h"
#include "verifier/store/audit_rows.h"

namespace assay {
namespace {

constexpr std::array kStates = {
    std::pair{GoldenState::kDraft, std::string_view("draft")},
    std::pair{GoldenState::kApproved, std::string_view("approved")},
    std::pair{GoldenState::kSuperseded, std::string_view("superseded")},
    std::pair{GoldenState::kRevoked, std::string_view("revoked")},
};

constexpr std::string_view kSelectSets =
    "SELECT id, name, digest, generation, state, source, files, hashes, "
    "(SELECT count(*) FROM golden_set_signers WHERE set_id = id), pushed_at, pushed_by, signed_by, "
    "state_since, state_by, reason, golden_until, approved_by, approved_at FROM "
    "golden_generations ";

// A generation as it stands, with its row.
struct StoredSet {
  std::int64_t id = 0;
  GoldenRecord record;
};

std::uint64_t count_hashes(const GoldenSet& set) {
  std::vector<Digest> all;
  for (const GoldenFile& file : set.files) {
    all.insert(all.end(), file.digests.begin(), file.digests.end());
  }
  std::ranges::sort(all);
  return static_cast<std::uint64_t>(std::unique(all.begin(), all.end()) - all.begin());
}

Result<StoredSet> take_set(const Database& database, Statement& row) {
  StoredSet set{.id = row.take<std::int64_t>(), .record = {.name = row.take<std::string>()}};
  GoldenRecord& record = set.record;
  const auto digest = parse_digest(row.take<std::string>());
  if (!digest) return database.malformed("a golden set's digest");
  record.digest = *digest;
  record.generation = row.take<std::uint64_t>();
  const auto state = golden_state_by_name(row.take<std::string>());
  if (!state) return database.malformed("a golden set's state");
  record.state = *state;
  record.source = row.take<std::string>();
  record.files = row.take<std::uint64_t>();
  record.hashes = row.take<std::uint64_t>();
  record.signers = row.take<std::uint64_t>();
  record.pushed_at = row.take<Instant>();
  record.pushed_by = row.take<std::string>();
  record.signed_by = split_words(row.take<std::string>());
  record.state_since = row.take<Instant>();
  record.state_by = row.take<std::string>();
  record.reason = row.take<std::string>();
  record.golden_until = row.take_optional<Instant>();
  record.approved_by = row.take<std::string>();
  record.approved_at = row.take_optional<Instant>();
  return set;
}

template <typename... Values>
Result<std::vector<StoredSet>> read_where(Database& database, std::string_view where,
                                          const Values&... values) {
  ASSAY_TRY(Statement rows,
            database.query(std::string(kSelectSets) + std::string(where), values...));
  std::vector<StoredSet> sets;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return sets;
    ASSAY_TRY(StoredSet set, take_set(database, rows));
    sets.push_back(std::move(set));
  }
}

// The first of them, if any.
std::optional<StoredSet> first_of(std::vector<StoredSet> sets) {
  if (sets.empty()) return std::nullopt;
  return std::move(sets.front());
}

Result<std::optional<StoredSet>> find_in_state(Database& database, std::string_view name,
                                               GoldenState state) {
  return read_where(database, "WHERE name = ? AND state = ?", name, golden_state_name(state))
      .map(first_of);
}

Result<StoredSet> existing_set(Database& database, const GoldenId& id) {
  ASSAY_TRY(std::vector<StoredSet> found,
            id.generation
                ? read_where(database, "WHERE name = ? AND generation = ?", id.name, *id.generation)
                : read_where(database,
                             "WHERE name = ? ORDER BY state <> 'approved', generation DESC LIMIT 1",
                             id.name));
  if (!found.empty()) return std::move(found.front());
  return fail(FaultId::kNotFound,
              "no golden set is called " + escape_bytes(id.name) +
                  (id.generation ? " in generation " + std::to_string(*id.generation) : ""));
}

Status write_state(Database& database, const StoredSet& set, GoldenState state,
                   const GoldenActor& actor) {
  return database.run(
      "UPDATE golden_generations SET state = ?1, state_since = ?2, state_by = ?3, golden_until = "
      "NULL, approved_at = iif(?1 = 'approved', ?2, approved_at), approved_by = "
      "iif(?1 = 'approved', ?3, approved_by) WHERE id = ?4",
      golden_state_name(state), actor.at, actor.by, set.id);
}

// What stood approved counts a while longer.
Status supersede(Database& database, std::string_view name, const GoldenActor& actor,
                 std::chrono::milliseconds grace) {
  ASSAY_TRY(const auto approved, find_in_state(database, name, GoldenState::kApproved));
  if (!approved) return {};
  ASSAY_OK(write_state(database, *approved, GoldenState::kSuperseded, actor));
  return database.run("UPDATE golden_generations SET golden_until = ? WHERE id = ?",
                      actor.at + grace, approved->id);
}

// Superseded generations that too many came after, and files that are in no set any more.
Status forget_superseded(Database& database, std::string_view name, Instant now) {
  constexpr std::string_view kForget =
      "DELETE FROM golden_generations WHERE id IN (SELECT id FROM golden_generations WHERE "
      "name = ? AND state = 'superseded' ORDER BY generation DESC LIMIT -1 OFFSET ?) AND "
      "golden_until <= ?";
  ASSAY_OK(database.run(kForget, name, kMaxSupersededKept, now));
  ASSAY_OK(database.run(kForget, name, kMaxInGrace, Instant::max()));
  return database.run(
      "DELETE FROM golden_groups WHERE NOT EXISTS "
      "(SELECT 1 FROM golden_set_groups WHERE group_id = golden_groups.id)");
}

Status insert_signers(Database& database, std::int64_t set_id,
                      const std::vector<GoldenSigner>& signers) {
  for (std::size_t i = 0; i < signers.size(); ++i) {
    ASSAY_OK(database.run("INSERT INTO golden_set_signers VALUES (?, ?, ?, ?)", set_id, i,
                          as_bytes(signers[i].name), signers[i].key.encoded()));
  }
  return {};
}

Status insert_image(Database& database, std::int64_t set_id, const GoldenImage& image) {
  constexpr std::string_view kInsert = "INSERT INTO golden_image_items VALUES (?, ?, ?, ?)";
  for (std::size_t i = 0; i < image.names.size(); ++i) {
    ASSAY_OK(database.run(kInsert, set_id, "name", i, image.names[i]));
  }
  for (std::size_t i = 0; i < image.digests.size(); ++i) {
    ASSAY_OK(database.run(kInsert, set_id, "digest", i, image.digests[i]));
  }
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    ASSAY_OK(database.run(kInsert, set_id, "layer", i, image.layers[i]));
  }
  return {};
}

Result<std::optional<GoldenImage>> read_image(Database& database, std::int64_t set_id) {
  ASSAY_TRY(Statement rows, database.query("SELECT role, value FROM golden_image_items WHERE "
                                           "set_id = ? ORDER BY role, position",
                                           set_id));
  std::optional<GoldenImage> image;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return image;
    if (!image) image.emplace();
    const auto role = rows.take<std::string>();
    auto value = rows.take<std::string>();
    if (role == "name") {
      image->names.push_back(std::move(value));
      continue;
    }
    const auto digest = parse_digest(value);
    if (!digest) return database.malformed("an image's digest");
    (role == "digest" ? image->digests : image->layers).push_back(*digest);
  }
}

Result<GoldenFacts> read_facts(Database& database, std::int64_t set_id) {
  ASSAY_TRY(Statement rows,
            database.query("SELECT name, value FROM golden_set_facts WHERE set_id = ?", set_id));
  GoldenFacts facts;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return facts;
    auto name = rows.take<std::string>();
    facts.emplace(std::move(name), rows.take<std::string>());
  }
}

Result<std::vector<GoldenSigner>> read_signers_of(Database& database, std::int64_t set_id) {
  ASSAY_TRY(Statement rows,
            database.query("SELECT name, key FROM golden_set_signers WHERE set_id = ? ORDER BY "
                           "position",
                           set_id));
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

Status insert_set(Database& database, const GoldenRecord& record, const GoldenSet& set) {
  ASSAY_OK(database.run(
      "INSERT INTO golden_generations (name, generation, digest, state, source, files, hashes, "
      "pushed_at, pushed_by, signed_by, state_since, state_by, approved_by, approved_at) VALUES "
      "(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
      record.name, record.generation, record.digest, golden_state_name(record.state), record.source,
      record.files, record.hashes, record.pushed_at, record.pushed_by, join_words(record.signed_by),
      record.state_since, record.state_by, record.approved_by, record.approved_at));
  const std::int64_t set_id = database.last_insert_id();
  ASSAY_OK(write_files(database, set_id, set.files));
  ASSAY_OK(insert_signers(database, set_id, set.signers));
  if (set.image) ASSAY_OK(insert_image(database, set_id, *set.image));
  for (const auto& [name, value] : set.facts) {
    ASSAY_OK(database.run("INSERT INTO golden_set_facts VALUES (?, ?, ?)", set_id, name, value));
  }
  return {};
}

// The set that an earlier push under the same key has made.
Result<std::optional<GoldenRecord>> find_push(Database& database, const GoldenPushRequest& request,
                                              Instant now) {
  ASSAY_OK(database.run("DELETE FROM golden_pushes WHERE pushed_at < ?", now - kIdempotencyTime));
  if (request.idempotency_key.empty()) return std::nullopt;
  ASSAY_TRY(Statement rows,
            database.query("SELECT digest, name, generation FROM golden_pushes WHERE "
                           "pushed_by = ? AND idempotency_key = ?",
                           request.by, request.idempotency_key));
  ASSAY_TRY(const bool row, rows.next());
  if (!row) return std::nullopt;
  const auto digest = rows.take<std::string>();
  const auto name = rows.take<std::string>();
  const auto generation = rows.take<std::uint64_t>();
  if (digest != format_digest(request.digest)) {
    return fail(FaultId::kGoldenConflict,
                "this idempotency key was used for another set: take a new one");
  }
  return read_golden_set(database, {.name = name, .generation = generation});
}

Status remember_push(Database& database, const GoldenPushRequest& request,
                     const GoldenRecord& record, Instant now) {
  if (request.idempotency_key.empty()) return {};
  ASSAY_TRY(const auto known,
            database.first<std::uint64_t>("SELECT count(*) FROM golden_pushes WHERE pushed_by = ?",
                                          request.by));
  if (known.value_or(0) >= kMaxIdempotencyKeys) {
    return fail(FaultId::kRequestInvalid,
                request.by + " has used " + std::to_string(kMaxIdempotencyKeys) +
                    " idempotency keys within a day; push without one, or wait");
  }
  return database.run("INSERT INTO golden_pushes VALUES (?, ?, ?, ?, ?, ?)", request.by,
                      request.idempotency_key, request.digest, record.name, record.generation, now);
}

// The generation that a push would only repeat: what counts already, or the same draft.
Result<std::optional<StoredSet>> find_standing(Database& database,
                                               const GoldenPushRequest& request) {
  ASSAY_TRY(std::vector<StoredSet> same,
            read_where(database, "WHERE name = ? AND digest = ? ORDER BY generation DESC",
                       request.set.name, request.digest));
  for (StoredSet& set : same) {
    if (set.record.state == GoldenState::kRevoked) {
      return fail(FaultId::kGoldenRevoked, "it was revoked as generation " +
                                               std::to_string(set.record.generation) + ": " +
                                               escape_bytes(set.record.reason));
    }
    if (set.record.state == GoldenState::kApproved || set.record.state == request.state) {
      return std::move(set);
    }
  }
  return std::nullopt;
}

Result<GoldenRecord> make_record(Database& database, const GoldenPushRequest& request,
                                 Instant now) {
  // One that is forgotten does not give its number to another.
  ASSAY_TRY(const auto last,
            database.first<std::uint64_t>(
                "SELECT coalesce(max(generation), 0) FROM golden_generations WHERE name = ?",
                request.set.name));
  const bool approved = request.state == GoldenState::kApproved;
  return GoldenRecord{.name = request.set.name,
                      .digest = request.digest,
                      .generation = *last + 1,
                      .state = request.state,
                      .source = request.set.source,
                      .files = request.set.files.size(),
                      .hashes = count_hashes(request.set),
                      .signers = request.set.signers.size(),
                      .pushed_at = now,
                      .pushed_by = request.by,
                      .signed_by = request.signed_by,
                      .state_since = now,
                      .state_by = request.by,
                      .approved_by = approved ? request.by : "",
                      .approved_at = approved ? std::optional(now) : std::nullopt,
                      .image = request.set.image,
                      .facts = request.set.facts};
}

std::string generation_text(const GoldenRecord& record) {
  return "generation " + std::to_string(record.generation) + ", " + format_digest(record.digest);
}

Status audit(Database& database, const GoldenActor& actor, std::string_view action,
             const GoldenRecord& record) {
  std::string detail =
      generation_text(record) + ", " + std::string(golden_state_name(record.state));
  if (!record.signed_by.empty()) detail += ", signed by " + join_words(record.signed_by);
  if (!record.reason.empty()) detail += ": " + record.reason;
  return write_audit(database, {.at = actor.at,
                                .actor = actor.by,
                                .action = std::string(action),
                                .subject = record.name,
                                .detail = std::move(detail)});
}

std::vector<GoldenRecord> records_of(std::vector<StoredSet> sets) {
  std::vector<GoldenRecord> records;
  for (StoredSet& set : sets) records.push_back(std::move(set.record));
  return records;
}

}  // namespace

std::string_view golden_state_name(GoldenState state) {
  return kStates[static_cast<std::size_t>(state)].second;
}

std::optional<GoldenState> golden_state_by_name(std::string_view name) {
  for (const auto& [state, known] : kStates) {
    if (name == known) return state;
  }
  return std::nullopt;
}

Result<GoldenPush> write_golden_set(Database& database, const GoldenPushRequest& request,
                                    Instant now) {
  ASSAY_TRY(auto earlier, find_push(database, request, now));
  if (earlier) return GoldenPush{.set = *std::move(earlier), .changed = false};
  ASSAY_TRY(std::optional<StoredSet> standing, find_standing(database, request));
  if (standing) {
    ASSAY_OK(remember_push(database, request, standing->record, now));
    return GoldenPush{.set = std::move(standing->record), .changed = false};
  }
  const GoldenActor actor{.by = request.by, .at = now};
  ASSAY_TRY(GoldenRecord record, make_record(database, request, now));
  if (request.state == GoldenState::kDraft) {
    ASSAY_OK(database.run("DELETE FROM golden_generations WHERE name = ? AND state = 'draft'",
                          record.name));
  } else {
    ASSAY_OK(supersede(database, record.name, actor, request.grace));
  }
  ASSAY_OK(insert_set(database, record, request.set));
  ASSAY_OK(forget_superseded(database, record.name, now));
  ASSAY_OK(remember_push(database, request, record, now));
  ASSAY_OK(audit(database, actor, "golden.push", record));
  return GoldenPush{.set = std::move(record), .changed = true};
}

Result<GoldenRecord> write_golden_approval(Database& database, const GoldenId& id,
                                           const GoldenActor& actor,
                                           std::chrono::milliseconds grace) {
  GoldenId wanted = id;
  if (!wanted.generation) {
    ASSAY_TRY(const auto draft, find_in_state(database, id.name, GoldenState::kDraft));
    if (draft) wanted.generation = draft->record.generation;
  }
  ASSAY_TRY(const StoredSet set, existing_set(database, wanted));
  switch (set.record.state) {
    case GoldenState::kApproved:
      return set.record;
    case GoldenState::kRevoked:
      return fail(FaultId::kGoldenRevoked,
                  generation_text(set.record) + " was revoked: " + escape_bytes(set.record.reason));
    case GoldenState::kDraft:
    case GoldenState::kSuperseded:
      break;
  }
  ASSAY_OK(supersede(database, id.name, actor, grace));
  ASSAY_OK(write_state(database, set, GoldenState::kApproved, actor));
  ASSAY_OK(forget_superseded(database, id.name, actor.at));
  ASSAY_TRY(GoldenRecord record, read_golden_set(database, {.name = id.name}));
  ASSAY_OK(audit(database, actor, "golden.approve", record));
  return record;
}

Result<std::vector<GoldenRecord>> write_golden_revocation(Database& database, const GoldenId& id,
                                                          const GoldenActor& actor,
                                                          std::string_view reason) {
  ASSAY_TRY(
      std::vector<StoredSet> sets,
      read_where(database,
                 "WHERE name = ?1 AND (?2 IS NULL OR digest IN (SELECT digest FROM "
                 "golden_generations WHERE name = ?1 AND generation = ?2)) ORDER BY generation",
                 id.name, id.generation));
  if (sets.empty()) ASSAY_OK(existing_set(database, id));
  std::vector<GoldenRecord> revoked;
  for (const StoredSet& set : sets) {
    if (set.record.state == GoldenState::kRevoked) continue;
    ASSAY_OK(write_state(database, set, GoldenState::kRevoked, actor));
    ASSAY_OK(database.run("UPDATE golden_generations SET reason = ? WHERE id = ?", reason, set.id));
    ASSAY_TRY(GoldenRecord record,
              read_golden_set(database, {.name = id.name, .generation = set.record.generation}));
    ASSAY_OK(audit(database, actor, "golden.revoke", record));
    revoked.push_back(std::move(record));
  }
  return revoked;
}

Result<std::vector<GoldenRecord>> read_golden_sets(Database& database) {
  ASSAY_TRY(std::vector<StoredSet> sets,
            read_where(database, "ORDER BY name, state <> 'approved', generation DESC"));
  const auto same = [](const StoredSet& a, const StoredSet& b) {
    return a.record.name == b.record.name;
  };
  sets.erase(std::unique(sets.begin(), sets.end(), same), sets.end());
  return records_of(std::move(sets));
}

Result<std::vector<GoldenRecord>> read_golden_history(Database& database, std::string_view name) {
  ASSAY_TRY(std::vector<StoredSet> sets,
            read_where(database, "WHERE name = ? ORDER BY generation DESC", name));
  if (sets.empty()) ASSAY_OK(existing_set(database, {.name = std::string(name)}));
  return records_of(std::move(sets));
}

Result<GoldenRecord> read_golden_set(Database& database, const GoldenId& id) {
  ASSAY_TRY(StoredSet set, existing_set(database, id));
  ASSAY_TRY(set.record.image, read_image(database, set.id));
  ASSAY_TRY(set.record.facts, read_facts(database, set.id));
  return std::move(set.record);
}

Result<std::vector<GoldenFile>> read_golden_files(Database& database, const GoldenId& id,
                                                  FileRange range) {
  ASSAY_TRY(const StoredSet set, existing_set(database, id));
  return read_files_of(database, set.id, range);
}

Result<std::vector<GoldenSigner>> read_golden_signers(Database& database, const GoldenId& id) {
  ASSAY_TRY(const StoredSet set, existing_set(database, id));
  return read_signers_of(database, set.id);
}

Result<std::vector<GoldenInForce>> read_golden_in_force(Database& database, Instant now) {
  ASSAY_TRY(std::vector<StoredSet> sets,
            read_where(database,
                       "WHERE state = 'approved' OR (state = 'superseded' AND golden_until > ?) "
                       "ORDER BY name, generation",
                       now));
  std::vector<GoldenInForce> out;
  for (StoredSet& set : sets) {
    ASSAY_TRY(auto groups, read_groups_of(database, set.id));
    ASSAY_TRY(auto signers, read_signers_of(database, set.id));
    out.push_back({.name = std::move(set.record.name),
                   .hashes = set.record.hashes,
                   .groups = std::move(groups),
                   .signers = std::move(signers),
                   .until = set.record.golden_until});
  }
  return out;
}

}  // namespace assay
