// Everything the verifier must not forget, in one SQLite file.
//
// One Store per process. All calls are safe from any thread and serialised on one connection;
// each is one transaction: after a crash at any instruction either all of it is there or nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/ak_public.h"
#include "core/verdict.h"
#include "verifier/enrolment/admission.h"
#include "verifier/store/golden.h"

namespace assay {

enum class NodeId : std::int64_t {};
enum class ViolationId : std::int64_t {};
enum class OutboxId : std::int64_t {};

// Where a node's keys come from.
struct NodeOrigin {
  std::optional<Digest> ek_id{};  // EkPublic::id() of the endorsement key; enrolled by hand: none
  Bytes ek_public{};              // TPM2B_PUBLIC
  std::string manufacturer{};     // of the TPM, as its certificate has it: "id:49465800"
  std::string admitted_by{"operator"};
};

// A node as it stands in the database.
struct NodeRecord {
  NodeId id{};
  std::string name{};
  Bytes ak_public{};  // as enrolled: TPM2B_PUBLIC or PEM
  Digest ak_fingerprint = Digest::zero(HashAlg::kSha256);
  Instant enrolled_at{};
  Standing standing{};
  std::uint64_t boot = 0;  // reboots seen: what `checkpoint` and new violations belong to
  LogCheckpoint checkpoint{};
  std::optional<TpmClock> clock{};  // of the last proven evidence
  std::vector<Fault> faults{};      // of the last verdict: at most kMaxStoredFaults
  std::uint64_t faults_total = 0;
  std::optional<Fault> last_rejection{};  // why evidence was last rejected
  std::optional<Instant> last_rejection_at{};
  std::uint64_t open_violations = 0;
  std::optional<Digest> ek_id{};  // the TPM that it is; none when enrolled by hand
  std::string manufacturer{};
  std::string admitted_by{};
  std::optional<Instant> re_enrol_until{};  // until when its keys may be replaced
  PcrValues boot_pcrs{};                    // PCRs 0-9 and 14 of this boot, as judged
};

// The keys that a TPM has proven to hold.
struct TpmKeys {
  AkPublic ak;
  Digest ek_id;
  Bytes ek_public{};
  std::string manufacturer{};
};

// A TPM that wants to be a node, and the rule that may let it; or why none does, which counts where one
// is needed.
struct AdmissionRequest {
  std::string name{};
  TpmKeys keys;
  Result<AdmissionRule> rule = AdmissionRule::kApproval;
  Digest token = Digest::zero(HashAlg::kSha256);  // hash of the join token, for kJoinToken
};

// One that waits for an operator.
struct EnrolmentRequest {
  Digest ek_id = Digest::zero(HashAlg::kSha256);
  std::string name{};
  Bytes ek_public{};
  Bytes ak_public{};
  std::string manufacturer{};
  Instant requested_at{};
};
inline constexpr std::uint64_t kMaxEnrolmentRequests = 1'000;

struct JoinTokenRecord {
  std::string name{};
  std::string manufacturer{};  // of the TPMs that it admits; empty: any
  std::uint32_t uses_left = 0;
  Instant created_at{};
  Instant expires_at{};
  std::optional<Instant> last_used_at{};
};
inline constexpr std::uint64_t kMaxJoinTokens = 1'000;

inline constexpr std::size_t kMaxStoredFaults = 100;

// What a hostile node can make the verifier keep has a bound, and nothing over it is lost silently:
// a further open violation of a node is only counted (NodeRecord::open_violations has it, and the
// node's summary notification), and while this many notifications of a node wait for one sink, what
// comes next is counted in one row "assay.violation.summary" of that node and sink. Each change of
// a summary makes it a new message, counting from the same moment on.
inline constexpr std::uint64_t kMaxOpenViolations = 10'000;
inline constexpr std::uint64_t kMaxQueuedPerNode = 1'000;

inline constexpr std::uint32_t kMaxViolationsListed = 1'000;  // in one answer

enum class ViolationStatus : std::uint8_t { kOpen, kAcknowledged, kClosed };
std::string_view violation_status_name(ViolationStatus status);

struct ViolationRecord {
  ViolationId id{};
  std::string node{};
  std::uint64_t boot = 0;
  Fault fault;
  Instant detected_at{};
  ViolationStatus status = ViolationStatus::kOpen;
  std::optional<Instant> closed_at{};
  std::string acknowledgement{};  // the operator's reason; "reboot" when a reboot closed it
};

// One attempt's consequences, all of which are committed together.
struct AttemptRecord {
  NodeId node{};
  Instant at{};
  Standing standing{};  // after the attempt
  // Closes the open violations of earlier boots and begins a new boot, whose checkpoint is fresh
  // unless `checkpoint` is set.
  bool rebooted = false;
  std::optional<LogCheckpoint> checkpoint = {};  // set when the log was proven
  std::optional<TpmClock> clock = {};            // likewise
  std::optional<BootFacts> boot = {};            // set when the boot was judged
  GoldenUse golden = {};                         // likewise
  std::vector<MonitoredFile> monitored = {};     // likewise: for drafts
  // Of this verdict; they become violations with `findings`. They replace the last verdict's when
  // there are any, or `checkpoint` is set: an attempt that proved nothing is no verdict.
  std::vector<Fault> faults = {};
  std::uint64_t faults_total = 0;
  bool findings = false;                // `faults` are violations: store, and tell each sink
  std::optional<Fault> rejection = {};  // evidence that proved nothing
};

// What a node has booted, when that was last judged.
struct BootRecord {
  Instant seen_at{};
  BootFacts facts{};
};

// A notification that waits to be delivered. Its payload was written with the violation.
struct OutboxRecord {
  OutboxId id{};
  std::string sink{};        // name in the configuration
  std::string message_id{};  // the same over retries: receivers use it to drop repeats
  std::string type{};        // verifier/store/message.h has them
  std::string payload{};     // JSON body
  std::uint32_t attempts = 0;
  Instant next_attempt_at{};
};

class Store {
 public:
  // Opens or makes the database (mode 0600, WAL, synchronous FULL) and brings its schema up to
  // date. `sinks` are the names of configured notification sinks: every violation and state change
  // is queued for each. Rows of a sink that is configured no more wait until it is again.
  // Fails with kStoreFailed (not a database, another program's, newer schema, held by another
  // verifier) or kStoreFull. Every call below may fail with these two as well.
  static Result<Store> open(const std::filesystem::path& path, std::vector<std::string> sinks);
  ~Store();
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;

  // By hand. Fails with kAlreadyExists when name or key stands with another partner, unless
  // allow_re_enrolment() lets the name have another; the same pair again gives back the node as it is.
  Result<NodeRecord> enrol_node(std::string_view name, const AkPublic& ak, Instant now);

  // Lets a proven TPM in, or nothing when it has to wait for approve(). A TPM that is the node
  // already gives back the node as it is. Fails, in this order, with
  //   kEnrolEkTaken       its endorsement key is another node's
  //   kAlreadyExists      its attestation key is
  //   kEnrolKeyChanged    it is the node, with another attestation key  (neither this nor the next
  //   kEnrolNameTaken     another TPM is the node                        after allow_re_enrolment())
  //   what `request.rule` fails with
  //   kEnrolTokenUnknown, kEnrolTokenExpired, kEnrolTokenSpent, kEnrolVendorRefused
  //   kEnrolNotAdmitted   too many wait already
  Result<std::optional<NodeRecord>> admit(const AdmissionRequest& request, Instant now);

  // Lets one in that waits; without `ek` there has to be one only of this name (kRequestInvalid).
  // Fails with kNotFound, or as admit().
  Result<NodeRecord> approve(std::string_view name, const std::optional<Digest>& ek, Instant now);
  Result<std::vector<EnrolmentRequest>> enrolment_requests();  // the oldest first
  // Forgets those that wait under a name; gives how many. kNotFound.
  Result<std::uint64_t> reject(std::string_view name, const std::optional<Digest>& ek);

  // The node's name may get other keys until then, once.
  Status allow_re_enrolment(NodeId node, Instant until);

  // Fails with kAlreadyExists when the name is taken, kRequestInvalid when there are too many.
  Status add_join_token(const JoinTokenRecord& token, const Digest& hash);
  Result<std::vector<JoinTokenRecord>> join_tokens();        // by name
  Status revoke_join_token(std::string_view name);           // kNotFound
  Result<std::vector<NodeRecord>> nodes();                   // by name
  Result<NodeRecord> node(std::string_view name);            // kNotFound
  Result<NodeRecord> node_by_ak(const Digest& fingerprint);  // kNotFound

  // Commits an attempt: standing, checkpoint, clock, faults, violations, and outbox rows of each; and what
  // it drafts (draft_monitored()).
  // A violation that is open already (same node, boot, fault id and entry) is not written again.
  // Gives the number of new violations. kNotFound: no such node.
  Result<std::uint64_t> commit(const AttemptRecord& attempt);

  // What a node was seen to have booted; kNotFound when nothing was seen since it enrolled.
  Result<BootRecord> boot(NodeId node);

  // Commits a standing that changed without evidence (the deadline passed), with its outbox rows.
  Status set_standing(NodeId node, const Standing& standing, Instant now);

  // Closes a node's open violations as acknowledged, forgets the faults of its last verdict, and
  // stores `after`. Gives how many violations were open.
  Result<std::uint64_t> acknowledge(NodeId node, const Standing& after, std::string_view reason,
                                    Instant now);

  struct ViolationQuery {
    std::string node{};  // empty: all; kNotFound when none has this name
    bool open_only = false;
    std::uint64_t before_id = 0;  // 0: from the newest
    std::uint32_t limit = 100;    // at most kMaxViolationsListed
  };
  Result<std::vector<ViolationRecord>> violations(const ViolationQuery& query);  // newest first
  Result<ViolationRecord> violation(ViolationId id);                             // kNotFound

  // Open violations by fault id, for the metric. Faults without one are left out.
  Result<std::vector<std::pair<std::string, std::uint64_t>>> open_violations_by_fault();

  // Stores a set as the next generation of its name, approved or as a draft; what stood approved is
  // superseded, what was a draft is gone. Nothing changes, and the generation that stands is given back,
  // when the same set counts already or is the draft, or a push of the same key and caller was stored
  // within kIdempotencyTime. Fails with
  //   kGoldenConflict  the key was used for another set
  //   kGoldenRevoked   the same set was revoked under this name
  //   kRequestInvalid  the caller has used kMaxIdempotencyKeys keys within kIdempotencyTime
  Result<GoldenPush> push_golden(const GoldenPushRequest& request, Instant now);
  // Makes a generation the approved one, in place of what was; without a number, the draft.
  // kNotFound, kGoldenRevoked.
  Result<GoldenRecord> approve_golden(const GoldenId& id, const GoldenActor& actor,
                                      std::chrono::milliseconds grace);
  // Revokes a generation and those of the name that are the same set, or without a number all of
  // it; gives those that were not yet. kNotFound.
  Result<std::vector<GoldenRecord>> revoke_golden(const GoldenId& id, const GoldenActor& actor,
                                                  std::string_view reason);
  // By name, of each the approved generation, or else the newest. Without images and facts.
  Result<std::vector<GoldenRecord>> golden_sets();
  Result<std::vector<GoldenRecord>> golden_history(
      std::string_view name);                           // newest first; kNotFound
  Result<GoldenRecord> golden_set(const GoldenId& id);  // kNotFound
  // Layer by layer, in each by path. kNotFound.
  Result<std::vector<GoldenFile>> golden_files(const GoldenId& id, std::uint64_t offset,
                                               std::uint32_t limit);
  Result<std::vector<GoldenSigner>> golden_signers(const GoldenId& id);  // kNotFound
  // Which nodes and pods ever ran it, in any boot; without a number, any generation of the name. kNotFound.
  Result<GoldenRuns> golden_runs(const GoldenId& id);
  // Which files of which sets have a digest, in every generation that is kept, in force or not. It looks at
  // all digests that there are, one group of files at a time, each for itself: not in one transaction.
  Result<GoldenOrigins> golden_origins(const Digest& digest);
  // Adds what is new of pods and their images, in one transaction.
  Status add_placements(std::span<const PodPlacement> pods, Instant now);
  // Which pods had an image of it, as golden_runs() counts generations. kNotFound.
  Result<GoldenPlacements> golden_placements(const GoldenId& id);
  // Everything that counts at `now`, by name.
  Result<std::vector<GoldenInForce>> golden_in_force(Instant now);
  // About how many digests groups of files have.
  Result<std::uint64_t> count_golden_digests(std::span<const GoldenGroupId> groups);
  // All digests of a group of files. kNotFound: it was forgotten meanwhile.
  Result<std::vector<Digest>> golden_group_digests(GoldenGroupId group);

  Result<std::vector<AuditRecord>> audit(std::int64_t before_id,
                                         std::uint32_t limit);  // newest first

  // Fails with kAlreadyExists when the name is taken, kRequestInvalid when there are too many.
  Status add_push_token(const PushTokenRecord& token, const Digest& hash, std::string_view by);
  Result<std::vector<PushTokenRecord>> push_tokens();                         // by name
  Status revoke_push_token(std::string_view name, const GoldenActor& actor);  // kNotFound
  // The token, used now: kPushTokenUnknown, kPushTokenExpired.
  Result<PushTokenRecord> use_push_token(const Digest& hash, Instant now);

  // Notifications of one sink that are due at `now`, the longest due first.
  Result<std::vector<OutboxRecord>> due_notifications(std::string_view sink, Instant now,
                                                      std::uint32_t limit);
  // When the sink's next notification is due; nothing when none waits.
  Result<std::optional<Instant>> next_notification_due(std::string_view sink);
  // No change when the row is gone: a summary was replaced while it was on its way.
  Status notification_delivered(OutboxId id);
  Status notification_failed(OutboxId id, Instant next_attempt_at, std::string_view error);
  Result<std::uint64_t> queued_notifications();  // of the configured sinks

 private:
  class Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
