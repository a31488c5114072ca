// Golden sets as the verifier keeps them: generations of a name, each with a state, and groups of files
// that sets share.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/attribution/pod_image.h"
#include "core/verdict.h"
#include "golden/set_file.h"

namespace assay {

// Of one generation of a set. Draft is where a push that needs review begins; approved counts; superseded
// counts until its grace is over; revoked never counts again.
enum class GoldenState : std::uint8_t { kDraft, kApproved, kSuperseded, kRevoked };
std::string_view golden_state_name(GoldenState state);  // "approved"
std::optional<GoldenState> golden_state_by_name(std::string_view name);

struct GoldenRecord {
  std::string name{};
  Digest digest = Digest::zero(HashAlg::kSha256);  // of the set file
  std::uint64_t generation = 0;
  GoldenState state = GoldenState::kApproved;
  std::string source{};
  std::uint64_t files = 0;
  std::uint64_t hashes = 0;
  std::uint64_t signers = 0;
  Instant pushed_at{};
  std::string pushed_by{};               // "operator", "token:ci"
  std::vector<std::string> signed_by{};  // ids of the keys that vouch for it
  Instant state_since{};
  std::string state_by{};
  std::string reason{};                   // why it was revoked
  std::optional<Instant> golden_until{};  // of a superseded one: the end of its grace
  std::string approved_by{};              // the last time; empty: it never was, or long ago
  std::optional<Instant> approved_at{};
  // Of one set that was asked for; not in lists.
  std::optional<GoldenImage> image{};
  GoldenFacts facts{};
};

// A set that somebody gives to the verifier.
struct GoldenPushRequest {
  GoldenSet set{};
  Digest digest = Digest::zero(HashAlg::kSha256);  // of the set file
  std::string by{};
  std::vector<std::string> signed_by{};
  GoldenState state = GoldenState::kApproved;  // or kDraft
  std::chrono::milliseconds grace{};           // of the generation that it supersedes
  std::string idempotency_key{};               // empty: none
};

struct GoldenPush {
  GoldenRecord set{};
  bool changed = false;
};

// One generation of a set.
struct GoldenId {
  std::string name;
  std::optional<std::uint64_t> generation = {};  // none: the approved one, else the newest
};

// Who does something to a set, and when.
struct GoldenActor {
  std::string by;
  Instant at{};
};

enum class GoldenGroupId : std::int64_t {};

// A generation that counts.
struct GoldenInForce {
  std::string name{};
  std::uint64_t hashes = 0;
  std::vector<GoldenGroupId> groups{};
  std::vector<GoldenSigner> signers{};
  std::optional<Instant> until{};  // none: until somebody changes it
};

// What of golden sets a proven log has shown.
struct GoldenUse {
  struct Group {
    GoldenGroupId id{};
    bool alone = false;  // some file of it was in no other group then
  };
  std::vector<Group> groups{};
  std::vector<Bytes> signers{};  // SubjectPublicKeyInfo of keys whose signatures counted
  // Of these, what the entries of one pod had.
  struct Pod {
    PodLabel label;
    std::string name{};  // "namespace/name", if the control plane knows it on this node
    std::vector<Group> groups{};
    std::vector<Bytes> signers{};
  };
  std::vector<Pod> pods{};
  bool pods_complete = true;  // false: there were more than an appraisal tells
};

// A node that was seen to run files of a set, while the set counted.
struct GoldenRun {
  std::string node{};
  NodeState state{};  // now
  Instant first_seen{};
  bool this_boot = false;  // in the node's present boot, too
  // Of the set alone. False: every such file is in another set as well, and may have come from there.
  bool own = false;
  bool pods_complete = true;  // false: it had more pods than are kept
};

// A pod of a node that was seen to, as the label of its entries says (core/attribution).
struct GoldenPodRun {
  std::string node{};
  PodLabel label;
  std::string name{};  // "namespace/name", as far as it was known then
  Instant first_seen{};
  bool this_boot = false;
  bool own = false;
};

inline constexpr std::uint32_t kMaxGoldenRuns = 1'000;

// The first kMaxGoldenRuns of each, those with files of their own first, then by name.
struct GoldenRuns {
  std::vector<GoldenRun> nodes{};
  std::uint64_t total = 0;
  std::vector<GoldenPodRun> pods{};
  std::uint64_t pods_total = 0;
};

// A file of a set that has a digest which somebody asks for.
struct GoldenOrigin {
  GoldenRecord set{};  // without image and facts
  std::string path{};
  std::optional<Digest> layer{};      // diff_id, of a set made from an image
  std::vector<std::string> images{};  // likewise: its names
};

// The first kMaxGoldenRuns that are found.
struct GoldenOrigins {
  std::vector<GoldenOrigin> listed{};
  std::uint64_t total = 0;
};

// A pod that was put on a node with an image of a set.
struct GoldenPlacement {
  PodLabel pod;
  std::string node{};
  std::string name{};  // "namespace/name"
  ImageSource source = ImageSource::kSpec;
  Instant first_seen{};
};

// The first kMaxGoldenRuns, those of the control plane's word first, then by node and name.
struct GoldenPlacements {
  std::vector<GoldenPlacement> listed{};
  std::uint64_t total = 0;
  std::vector<std::string> incomplete{};  // nodes of which the oldest were forgotten
};

// So many pairs of pod and image are kept of a node by each source; then the oldest are forgotten. Who may make
// pods, and each node, can invent them.
inline constexpr std::uint64_t kMaxPlacements = 50'000;

// What is kept of a node's pods: so many pairs of pod and group of files, and of pod and key; then those that
// were seen first are forgotten, and the node's history is said to be incomplete. Pods come and go, and a
// hostile node invents them.
inline constexpr std::uint64_t kMaxPodUses = 100'000;

// So many superseded generations of a name are kept, the newest; those in their grace as well, unless
// they are over the second number.
inline constexpr std::uint32_t kMaxSupersededKept = 16;
inline constexpr std::uint32_t kMaxInGrace = 64;
inline constexpr std::size_t kMaxIdempotencyKeyBytes = 128;
inline constexpr std::size_t kMaxRevocationReasonBytes = 512;
// How long a push is known by its key, and how many of one caller are.
inline constexpr std::chrono::hours kIdempotencyTime{24};
inline constexpr std::uint64_t kMaxIdempotencyKeys = 10'000;

// What somebody did, as it stays: rows are never changed and never removed.
struct AuditRecord {
  std::int64_t id = 0;
  Instant at{};
  std::string actor{};
  std::string action{};   // "golden.push", "golden.approve", "golden.revoke", "token.create", …
  std::string subject{};  // name of a set or token
  std::string detail{};
};

// A secret by which CI may push sets, and nothing else.
struct PushTokenRecord {
  std::string name{};
  std::vector<std::string> scopes{};  // NameScope patterns
  Instant created_at{};
  Instant expires_at{};
  std::optional<Instant> last_used_at{};
};
inline constexpr std::uint64_t kMaxPushTokens = 1'000;

}  // namespace assay
