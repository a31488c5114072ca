#include "verifier/store/schema.h"

#include <array>
#include <vector>

namespace assay {
namespace {

constexpr std::int64_t kApplicationId = 0x41535359;  // "ASSY"

// Migration i brings user_version from i to i + 1. One that was released is never edited.
//
// Moments are milliseconds since 1970, UTC. Digests in TEXT are "sha256:<hex>". Names of faults and
// states are the stable ones of core/fault.h and core/verdict.h. Paths are raw bytes.
constexpr std::array kMigrations = {
    R"sql(
CREATE TABLE nodes (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  ak_public BLOB NOT NULL,
  ak_fingerprint TEXT NOT NULL UNIQUE,
  enrolled_at INTEGER NOT NULL,
  state TEXT NOT NULL,
  state_since INTEGER NOT NULL,
  last_verified INTEGER,
  has_open_violations INTEGER NOT NULL DEFAULT 0,
  boot INTEGER NOT NULL DEFAULT 0,
  log_entries INTEGER NOT NULL DEFAULT 0,
  log_bytes INTEGER NOT NULL DEFAULT 0,
  log_pcrs TEXT NOT NULL DEFAULT '',       -- "10=sha256:<hex> 11=sha256:<hex>"
  clock_ms INTEGER,                        -- NULL: no evidence was ever proven
  clock_resets INTEGER,
  clock_restarts INTEGER,
  clock_safe INTEGER,
  clock_firmware INTEGER,
  faults_total INTEGER NOT NULL DEFAULT 0,
  rejected_at INTEGER,
  unlisted_violations INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE node_faults (
  node_id INTEGER NOT NULL REFERENCES nodes ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('verdict', 'rejection')),
  position INTEGER NOT NULL,
  fault TEXT NOT NULL,
  entry INTEGER,
  path BLOB NOT NULL,
  digest TEXT,
  detail TEXT NOT NULL,
  PRIMARY KEY (node_id, role, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE violations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  node_id INTEGER NOT NULL REFERENCES nodes ON DELETE CASCADE,
  boot INTEGER NOT NULL,
  fault TEXT NOT NULL,
  entry INTEGER,
  path BLOB NOT NULL,
  digest TEXT,
  detail TEXT NOT NULL,
  detected_at INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'closed')),
  closed_at INTEGER,
  reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX violations_open ON violations (node_id, boot, fault, coalesce(entry, -1))
  WHERE status = 'open';
CREATE INDEX violations_of_node ON violations (node_id, id);

CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sink TEXT NOT NULL,
  node_id INTEGER NOT NULL REFERENCES nodes ON DELETE CASCADE,
  message_id TEXT NOT NULL DEFAULT ('msg_' || lower(hex(randomblob(16)))),
  type TEXT NOT NULL,
  payload TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER NOT NULL,
  last_error TEXT NOT NULL DEFAULT '',
  since INTEGER,                           -- of a summary: when its first event came
  violations INTEGER,                      -- of a summary: how many it stands for
  state_changes INTEGER                    -- likewise
) STRICT;
CREATE INDEX outbox_due ON outbox (sink, next_attempt_at, id);
CREATE INDEX outbox_of_node ON outbox (sink, node_id);
CREATE UNIQUE INDEX outbox_summary ON outbox (sink, node_id) WHERE since IS NOT NULL;

CREATE TABLE golden_sets (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  digest TEXT NOT NULL,
  generation INTEGER NOT NULL,
  source TEXT NOT NULL,
  files INTEGER NOT NULL,
  hashes INTEGER NOT NULL,
  pushed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE golden_files (
  set_id INTEGER NOT NULL REFERENCES golden_sets ON DELETE CASCADE,
  position INTEGER NOT NULL,
  path BLOB NOT NULL,
  digests BLOB NOT NULL,                   -- of each: its size in one byte, then its bytes
  size INTEGER NOT NULL,
  mode INTEGER NOT NULL,
  PRIMARY KEY (set_id, position)
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
ALTER TABLE node_faults ADD COLUMN warns INTEGER;  -- 1 where a policy lets the fault only warn
ALTER TABLE violations ADD COLUMN warns INTEGER;   -- likewise
ALTER TABLE nodes ADD COLUMN log_policy INTEGER NOT NULL DEFAULT 0;  -- ImaPolicyState
ALTER TABLE nodes ADD COLUMN ek_id TEXT;                             -- NULL: enrolled by hand
ALTER TABLE nodes ADD COLUMN ek_public BLOB;                         -- likewise
ALTER TABLE nodes ADD COLUMN manufacturer TEXT NOT NULL DEFAULT '';  -- of the TPM: "id:49465800"
ALTER TABLE nodes ADD COLUMN admitted_by TEXT NOT NULL DEFAULT 'operator';
ALTER TABLE nodes ADD COLUMN re_enrol_until INTEGER;                 -- its keys may be replaced
ALTER TABLE nodes ADD COLUMN boot_pcrs TEXT NOT NULL DEFAULT '';     -- as log_pcrs: PCRs 0-9 and 14
DROP INDEX violations_open;  -- what warned may come to count
CREATE UNIQUE INDEX violations_open
  ON violations (node_id, boot, fault, coalesce(entry, -1), coalesce(warns, 0))
  WHERE status = 'open';
CREATE UNIQUE INDEX nodes_ek ON nodes (ek_id) WHERE ek_id IS NOT NULL;

CREATE TABLE enrolment_requests (
  ek_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  ek_public BLOB NOT NULL,
  ak_public BLOB NOT NULL,
  manufacturer TEXT NOT NULL,
  requested_at INTEGER NOT NULL
) STRICT;

CREATE TABLE join_tokens (
  name TEXT PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  manufacturer TEXT NOT NULL,              -- empty: any
  uses_left INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  last_used_at INTEGER
) STRICT;

CREATE TABLE node_boots (
  node_id INTEGER PRIMARY KEY REFERENCES nodes ON DELETE CASCADE,
  seen_at INTEGER NOT NULL,
  has_log INTEGER NOT NULL,
  secure_boot INTEGER,                     -- NULL: not known
  unlisted INTEGER NOT NULL
) STRICT;

CREATE TABLE boot_items (
  node_id INTEGER NOT NULL REFERENCES node_boots ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('variable', 'application', 'file', 'command line')),
  position INTEGER NOT NULL,
  pcr INTEGER,
  name BLOB NOT NULL,                      -- or the command line itself
  digests TEXT NOT NULL,                   -- "sha256:<hex> sha1:<hex>"
  PRIMARY KEY (node_id, kind, position)
) STRICT, WITHOUT ROWID;
)sql",

    R"sql(
ALTER TABLE nodes ADD COLUMN log_last_record TEXT;  -- "sha256:<hex>" of the last proven record
)sql",

    R"sql(
CREATE TABLE golden_signers (
  set_id INTEGER NOT NULL REFERENCES golden_sets ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name BLOB NOT NULL,                      -- for people
  key BLOB NOT NULL,                       -- SubjectPublicKeyInfo in DER
  PRIMARY KEY (set_id, position)
) STRICT, WITHOUT ROWID;
)sql",

    R"sql(
CREATE TABLE golden_generations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  generation INTEGER NOT NULL,
  digest TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('draft', 'approved', 'superseded', 'revoked')),
  source TEXT NOT NULL,
  files INTEGER NOT NULL,
  hashes INTEGER NOT NULL,
  pushed_at INTEGER NOT NULL,
  pushed_by TEXT NOT NULL,
  signed_by TEXT NOT NULL DEFAULT '',      -- ids of keys, by space
  state_since INTEGER NOT NULL,
  state_by TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  golden_until INTEGER,                    -- of a superseded one
  UNIQUE (name, generation)
) STRICT;
CREATE UNIQUE INDEX golden_approved ON golden_generations (name) WHERE state = 'approved';
CREATE UNIQUE INDEX golden_draft ON golden_generations (name) WHERE state = 'draft';

CREATE TABLE golden_groups (
  id INTEGER PRIMARY KEY AUTOINCREMENT,    -- never given twice: the index in memory goes by it
  content TEXT NOT NULL UNIQUE,            -- "sha256:<hex>" of its files
  files INTEGER NOT NULL,
  digests BLOB NOT NULL                    -- all of its files' digests, as golden_group_files has them
) STRICT;

CREATE TABLE golden_group_files (
  group_id INTEGER NOT NULL REFERENCES golden_groups ON DELETE CASCADE,
  position INTEGER NOT NULL,
  path BLOB NOT NULL,
  digests BLOB NOT NULL,                   -- of each: its size in one byte, then its bytes
  size INTEGER NOT NULL,
  mode INTEGER NOT NULL,
  uid INTEGER,                             -- NULL: the source did not know it
  gid INTEGER,                             -- likewise
  kind TEXT NOT NULL DEFAULT '',           -- "elf", "script"
  PRIMARY KEY (group_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE golden_set_groups (
  set_id INTEGER NOT NULL REFERENCES golden_generations ON DELETE CASCADE,
  position INTEGER NOT NULL,
  group_id INTEGER NOT NULL REFERENCES golden_groups,
  layer INTEGER,                           -- of the image; NULL: the set knows none
  PRIMARY KEY (set_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX golden_sets_of_group ON golden_set_groups (group_id);

CREATE TABLE golden_image_items (
  set_id INTEGER NOT NULL REFERENCES golden_generations ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('name', 'digest', 'layer')),
  position INTEGER NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (set_id, role, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX golden_images ON golden_image_items (value) WHERE role = 'digest';

CREATE TABLE golden_set_facts (
  set_id INTEGER NOT NULL REFERENCES golden_generations ON DELETE CASCADE,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (set_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE golden_set_signers (
  set_id INTEGER NOT NULL REFERENCES golden_generations ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name BLOB NOT NULL,                      -- for people
  key BLOB NOT NULL,                       -- SubjectPublicKeyInfo in DER
  PRIMARY KEY (set_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE golden_pushes (
  pushed_by TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  digest TEXT NOT NULL,
  name TEXT NOT NULL,
  generation INTEGER NOT NULL,
  pushed_at INTEGER NOT NULL,
  PRIMARY KEY (pushed_by, idempotency_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX golden_pushes_by_age ON golden_pushes (pushed_at);

CREATE TABLE push_tokens (
  name TEXT PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  scopes TEXT NOT NULL,                    -- by space
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  last_used_at INTEGER
) STRICT;

CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END;

-- A set that stood before becomes the approved generation, its files one group.
INSERT INTO golden_generations
  (id, name, generation, digest, state, source, files, hashes, pushed_at, pushed_by, state_since, state_by)
  SELECT id, name, generation, digest, 'approved', source, files, hashes, pushed_at, 'operator', pushed_at,
         'operator' FROM golden_sets;
INSERT INTO golden_groups (id, content, files, digests)
  SELECT id, 'set:' || id, files, x'' FROM golden_sets WHERE files > 0;
INSERT INTO golden_group_files (group_id, position, path, digests, size, mode)
  SELECT set_id, position, path, digests, size, mode FROM golden_files;
INSERT INTO golden_set_groups (set_id, position, group_id) SELECT id, 0, id FROM golden_groups;
INSERT INTO golden_set_signers SELECT set_id, position, name, key FROM golden_signers;
DROP TABLE golden_signers;
DROP TABLE golden_files;
DROP TABLE golden_sets;
)sql",

    R"sql(
CREATE TABLE node_golden_groups (
  group_id INTEGER NOT NULL REFERENCES golden_groups ON DELETE CASCADE,
  node_id INTEGER NOT NULL REFERENCES nodes ON DELETE CASCADE,
  is_alone INTEGER NOT NULL,               -- 1: it ran a file of it that was in no other group then
  first_seen INTEGER NOT NULL,
  boot INTEGER NOT NULL,                   -- of the node, the last in which it was seen
  PRIMARY KEY (group_id, node_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE node_golden_signers (
  key BLOB NOT NULL,                       -- as golden_set_signers has it
  node_id INTEGER NOT NULL REFERENCES nodes ON DELETE CASCADE,
  first_seen INTEGER NOT NULL,
  boot INTEGER NOT NULL,                   -- likewise
  PRIMARY KEY (key, node_id)
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
-- What each pod of a node was seen to run, as the labels of entries say.
CREATE TABLE pod_golden_uses (
  id INTEGER PRIMARY KEY,                  -- the least is the oldest
  node_id INTEGER NOT NULL REFERENCES nodes ON DELETE CASCADE,
  attribution TEXT NOT NULL,               -- how the label came about: "cgroup"
  label TEXT NOT NULL,                     -- the pod's UID, or a range of user ids
  name TEXT NOT NULL,                      -- "namespace/name"; empty: unknown
  group_id INTEGER REFERENCES golden_groups ON DELETE CASCADE,
  key BLOB,                                -- as golden_set_signers has it, where no group is
  is_alone INTEGER NOT NULL,               -- as node_golden_groups has it; 1 for a key
  first_seen INTEGER NOT NULL,
  boot INTEGER NOT NULL,                   -- of the node, the last in which it was seen
  CHECK ((group_id IS NULL) <> (key IS NULL))
) STRICT;
CREATE UNIQUE INDEX pod_golden_groups ON pod_golden_uses (group_id, node_id, attribution, label)
  WHERE group_id IS NOT NULL;
CREATE UNIQUE INDEX pod_golden_keys ON pod_golden_uses (key, node_id, attribution, label)
  WHERE key IS NOT NULL;
CREATE INDEX pod_golden_nodes ON pod_golden_uses (node_id, id);

-- 0: rows of pod_golden_uses were forgotten, or found no room.
ALTER TABLE nodes ADD COLUMN pods_complete INTEGER NOT NULL DEFAULT 1;
)sql",
    R"sql(
-- Which pods had which images, over time.
CREATE TABLE pod_images (
  id INTEGER PRIMARY KEY,                  -- the least is the oldest
  node TEXT NOT NULL,                      -- the control plane's name of it
  pod TEXT NOT NULL,                       -- its UID
  name TEXT NOT NULL,                      -- "namespace/name"
  digest TEXT NOT NULL,                    -- as golden_image_items has it
  source TEXT NOT NULL,                    -- whose word it is: "spec", "status"
  first_seen INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX pod_images_of_pods ON pod_images (digest, pod, node);
CREATE INDEX pod_images_by_node ON pod_images (node, source, id);

-- Nodes of which rows of pod_images were forgotten.
CREATE TABLE forgotten_placements (node TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
-- The last time; NULL: it never was, or that was before this was kept.
ALTER TABLE golden_generations ADD COLUMN approved_at INTEGER;
ALTER TABLE golden_generations ADD COLUMN approved_by TEXT NOT NULL DEFAULT '';
UPDATE golden_generations SET approved_at = state_since, approved_by = state_by
  WHERE state = 'approved';
)sql",
};

// SQL cannot join blobs: what a group's files have, packed into its row.
Status pack_groups(Database& database) {
  std::vector<std::int64_t> groups;
  {
    ASSAY_TRY(Statement rows, database.query("SELECT id FROM golden_groups"));
    for (;;) {
      ASSAY_TRY(const bool row, rows.next());
      if (!row) break;
      groups.push_back(rows.take<std::int64_t>());
    }
  }
  for (const std::int64_t group : groups) {
    Bytes packed;
    ASSAY_TRY(Statement rows,
              database.query("SELECT digests FROM golden_group_files WHERE group_id = ?", group));
    for (;;) {
      ASSAY_TRY(const bool row, rows.next());
      if (!row) break;
      const Bytes digests = rows.take<Bytes>();
      packed.insert(packed.end(), digests.begin(), digests.end());
    }
    ASSAY_OK(database.run("UPDATE golden_groups SET digests = ? WHERE id = ?", packed, group));
  }
  return {};
}

// Migrations whose SQL is not all.
constexpr std::size_t kGroupsMigration = 4;

Status check_owner(Database& database) {
  ASSAY_TRY(const auto owner, database.first<std::int64_t>("PRAGMA application_id"));
  ASSAY_TRY(const auto tables, database.first<std::int64_t>("SELECT count(*) FROM sqlite_schema"));
  if (owner == kApplicationId || (owner == 0 && tables == 0)) return {};
  return database.refuse("belongs to another program; give the verifier a file of its own");
}

Status run_migration(Database& database, std::size_t version) {
  ASSAY_TRY(auto transaction, Transaction::begin(database));
  ASSAY_OK(database.run_script(kMigrations[version]));
  if (version == kGroupsMigration) ASSAY_OK(pack_groups(database));
  // PRAGMA takes no bound parameters; both are numbers of ours.
  ASSAY_OK(database.run_script(("PRAGMA user_version = " + std::to_string(version + 1)).c_str()));
  ASSAY_OK(
      database.run_script(("PRAGMA application_id = " + std::to_string(kApplicationId)).c_str()));
  return transaction.commit();
}

}  // namespace

Status migrate(Database& database) {
  ASSAY_OK(check_owner(database));
  ASSAY_TRY(const auto stored, database.first<std::uint64_t>("PRAGMA user_version"));
  const std::uint64_t version = stored.value_or(0);
  if (version > kMigrations.size()) {
    return database.refuse("was written by a newer verifier (schema " + std::to_string(version) +
                           ", this one knows up to " + std::to_string(kMigrations.size()) +
                           "); run that version, or restore a backup from before the upgrade");
  }
  ASSAY_OK(database.claim());
  for (std::size_t i = version; i < kMigrations.size(); ++i) ASSAY_OK(run_migration(database, i));
  return {};
}

}  // namespace assay
