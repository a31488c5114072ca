// Attested measurements against reference values: what is wrong with this node, if anything.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/attribution/pod_expectation.h"
#include "core/golden_set.h"
#include "core/ima_replay.h"
#include "core/policy.h"
#include "core/signature/golden_signature.h"

namespace assay {

// Faults in log order: the first kMaxFaults of them, and how many there were in all.
class FaultList {
 public:
  static constexpr std::size_t kMaxFaults = 1000;

  void add(Fault fault) {
    ++total_;
    worst_ = std::max(worst_.value_or(Severity::kInfo), severity_of(fault));
    if (faults_.size() < kMaxFaults) faults_.push_back(std::move(fault));
  }
  bool empty() const { return total_ == 0; }
  bool is_full() const { return faults_.size() == kMaxFaults; }  // others are only counted
  std::uint64_t total() const { return total_; }
  const std::vector<Fault>& listed() const { return faults_; }
  bool has(FaultClass fault_class) const;
  std::optional<Severity> worst() const { return worst_; }  // of all, listed or not

 private:
  std::vector<Fault> faults_;
  std::uint64_t total_ = 0;
  std::optional<Severity> worst_;
};

// Why the entries without a fault were accepted: how many by which rule.
struct AcceptedEntries {
  struct Signer {
    std::string set;  // which golden set has the key
    Digest key;       // its fingerprint: SHA-256 of its SubjectPublicKeyInfo
    std::uint64_t entries = 0;
  };
  std::uint64_t boot_aggregate = 0;
  std::uint64_t ima_policy = 0;
  std::uint64_t digest = 0;     // golden by what the file is
  std::uint64_t monitored = 0;  // unknown, and drafted for review
  std::vector<Signer> signers;  // golden by who signed the file: those who did, as in the snapshot
  // A group of the snapshot that holds one of the golden digests.
  struct Group {
    GoldenSnapshot::Group group = 0;
    bool alone = false;  // one of them is in no other group
    friend bool operator==(const Group&, const Group&) = default;
  };
  std::vector<Group> groups;  // ascending, none twice
  // Of these, what the entries of one pod were accepted by, as their labels say.
  struct Pod {
    PodLabel label;
    std::vector<Group> groups;         // ascending, none twice; `alone` of its entries
    std::vector<Digest> signers = {};  // fingerprints, in the snapshot's order
  };
  std::vector<Pod> pods;      // ascending, none twice
  bool pods_complete = true;  // false: there were more than EntryNotes keeps
};

// An unknown file that a pod of a monitored namespace ran.
struct MonitoredFile {
  std::string name_space;
  std::string path;
  Digest digest;
  friend auto operator<=>(const MonitoredFile&, const MonitoredFile&) = default;
};
// Of one part of a log: what is over it is a fault.
inline constexpr std::size_t kMaxMonitored = 10'000;

struct LogAppraisal {
  FaultList faults;
  AcceptedEntries accepted;
  // Whether the boot_aggregate entries equal what the quoted PCRs give; nothing when the log has
  // none in this part, or the quote does not cover the PCRs that it takes.
  std::optional<bool> boot_aggregate_ok;
  bool boot_aggregate_unproven = false;                    // there is a kBootAggregateUnproven
  ImaPolicyState ima_policy = ImaPolicyState::kNotJudged;  // after this part of the log
  std::vector<MonitoredFile> monitored;                    // ascending, none twice
};

// Whether a boot's first evidence may be without its IMA policy: more will come.
enum class ImaPolicyGrace : std::uint8_t { kNone, kFirstEvidence };

// What a log is judged by. Borrowed for the call.
struct LogExpectation {
  const GoldenSnapshot* golden = nullptr;     // null: files are not judged
  const ImaPolicyRule* ima_policy = nullptr;  // null: which IMA policy is loaded is not judged
  ViolationRules violations = {};
  ImaPolicyGrace grace = ImaPolicyGrace::kNone;
  ImaPolicyState ima_policy_before = ImaPolicyState::kNotJudged;  // this part, in the same boot
  std::chrono::sys_days today = {};       // for values that are accepted until a day
  SignatureMemory* signatures = nullptr;  // null: each signature is verified
  PodExpectation pods = {};               // nobody's: every pod is held to the golden sets
};

// Judges every entry of `log`; there is no entry that is skipped. An entry is accepted when it is
//   * a boot_aggregate that equals the digest of the quoted PCRs 0–9 (0–7 for SHA-1),
//   * one whose file digest is that of an accepted IMA policy,
//   * one whose file digest is golden, or
//   * one whose file digest a golden key has signed (signature_claim()).
// Its name never matters.
// Anything else is a fault: kBootAggregateMismatch, kImaViolation (as `violations` says),
// kImaUnknownTemplate, kImaTemplateContradicted, kImaUnsupportedDigest, kImaUnknownDigest; kImaUnknownKey,
// kImaUnknownCommandLine and kImaUnknownCriticalData for a buffer, with its words as detail; or for a
// boot_aggregate that the quote cannot tell kBootAggregateUnproven. That one is critical, since an
// entry's name is no proof: a file in a detached mount can be named so. The first entry of a boot that is
// no boot_aggregate is kBootAggregateMissing. An entry whose digest is not that of the buffer in it is
// kImaBufferDigestMismatch, whatever is golden. The detail of a fault ends with the pod that the entry's
// label names. A kImaUnknownDigest of a pod is what the mode of its namespace says (`pods`); those of
// kernel modules and buffers act on the whole node, and stay critical.
//
// With an `ima_policy`, the boot's log has to show one, from its first entry on; a boot whose first
// entries were judged without a rule is not judged by it. Each of these is reported once in a boot:
//   kImaPolicyMissing   no proven entry loads it, and there are `within_entries` of them, or this is not
//                       the boot's first evidence (without grace: at once)
//   kImaPolicyLate      the first that loads it comes after `within_entries` others
// and kImaPolicyRepeated, which only warns, for each further entry that has a policy's content: the log
// does not say why a file was read.
//
// As filter of the replay, an appraiser settles entries other than the boot's first that are golden by their
// digest, or by a signature that is remembered: they are not looked at again. It notes the groups of golden
// files that the digest is in, and the signer, for each pod that labels name.
class LogAppraiser final : public EntryFilter {
 public:
  // All are borrowed.
  LogAppraiser(const QuotedPcrs& quoted, const LogExpectation& expected)
      : quoted_(quoted), expected_(expected) {}

  std::optional<std::size_t> rule_for(const ImaEntry& entry, EntryNotes& notes) const override;

  // `log` was replayed without a filter, or with this one. Total, and pure but for `signatures`.
  LogAppraisal appraise(const AttestedImaLog& log) const;

 private:
  const QuotedPcrs& quoted_;
  const LogExpectation& expected_;
};

// What the kernel writes as the first entry of a boot: the hash of boot_aggregate_selection(alg).
// Nothing when the quote does not cover it all.
std::optional<Digest> boot_aggregate(HashAlg alg, const QuotedPcrs& quoted);

}  // namespace assay
