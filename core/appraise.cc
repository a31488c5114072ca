#include "core/appraise.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "core/buffer/measured_buffer.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr std::string_view kBootAggregate = "boot_aggregate";
constexpr std::size_t kMaxMonitoredPathBytes = 4096;  // Linux PATH_MAX, and a golden set's limit

Fault about(FaultId id, const ImaEntry& entry) {
  return {
      .id = id, .entry = entry.index, .path = std::string(entry.name), .digest = entry.file_digest};
}

// A boot_aggregate that is not what it has to be, with what tells people why.
Fault about_aggregate(FaultId id, const ImaEntry& entry) {
  Fault out = about(id, entry);
  const HashAlg bank = entry.file_digest->alg();
  if (*entry.file_digest == Digest::zero(bank)) {
    out.detail =
        "it is zero: when IMA started, the kernel found no TPM, or no PCR bank for ima_hash=";
  } else if (id == FaultId::kBootAggregateUnproven) {
    out.detail = "the " + std::string(hash_name(bank)) + " bank is not quoted";
  }
  return out;
}

Fault about_template(FaultId id, const ImaEntry& entry) {
  Fault fault = about(id, entry);
  fault.detail = "template " + escape_bytes(entry.template_name);
  return fault;
}

// Of an entry whose digest is not golden.
Fault about_unknown(const ImaEntry& entry) {
  return entry.name == kBootAggregate ? about_aggregate(FaultId::kBootAggregateUnproven, entry)
                                      : about(FaultId::kImaUnknownDigest, entry);
}

// What is noted of an entry: the groups that its digest is in, and whether that is one only; and of a pod's
// entry, who signed the file.
constexpr std::uint32_t note_of(AcceptedEntries::Group use) {
  return 2 * use.group + (use.alone ? 1 : 0);
}
constexpr std::uint64_t kSignerNote = std::uint64_t{1} << 32;

// Adds the group that a note is of, as the last or to the last.
void add_group(std::uint64_t note, std::vector<AcceptedEntries::Group>& out) {
  const auto group = static_cast<GoldenSnapshot::Group>(note / 2);
  if (out.empty() || out.back().group != group) out.push_back({.group = group});
  out.back().alone |= note % 2 != 0;
}

// Whether an entry's digest is golden; notes in which groups.
bool find_golden(const GoldenSnapshot& golden, const ImaEntry& entry, EntryNotes& notes) {
  std::optional<GoldenSnapshot::Group> first;
  std::optional<PodLabel> pod;
  bool alone = true;
  const auto note = [&](AcceptedEntries::Group use) {
    notes.add(note_of(use), entry.index);
    if (pod) notes.add({*pod, note_of(use)}, entry.index);
  };
  golden.contains(*entry.file_digest, [&](GoldenSnapshot::Group group) {
    if (!first) {
      first = group;
      pod = pod_label(entry);
      return;
    }
    if (std::exchange(alone, false)) note({*first, false});
    note({group, false});
  });
  if (first && alone) note({*first, true});
  return first.has_value();
}

void note_signer(std::size_t signer, const ImaEntry& entry, EntryNotes& notes) {
  if (const auto pod = pod_label(entry)) notes.add({*pod, kSignerNote + signer}, entry.index);
}

std::vector<AcceptedEntries::Group> groups_of(const EntryNotes& notes) {
  std::vector<std::uint32_t> numbers = notes.numbers();
  std::ranges::sort(numbers);
  std::vector<AcceptedEntries::Group> out;
  for (const std::uint32_t number : numbers) add_group(number, out);
  return out;
}

// Pairs come by pod, in each by number.
std::vector<AcceptedEntries::Pod> pods_of(const EntryNotes& notes, const GoldenSnapshot& golden) {
  std::vector<AcceptedEntries::Pod> out;
  for (const auto& [pod, number] : notes.of_pods()) {
    if (out.empty() || out.back().label != pod) out.push_back({.label = pod, .groups = {}});
    if (number < kSignerNote) {
      add_group(number, out.back().groups);
    } else {
      const auto& signer = golden.signers()[number - kSignerNote];
      out.back().signers.push_back(signer.key.fingerprint());
    }
  }
  return out;
}

// Which golden rule accepts an entry, counted.
class Acceptance {
 public:
  explicit Acceptance(const LogExpectation& expected)
      : golden_(expected.golden), memory_(expected.signatures) {
    if (golden_ != nullptr) by_signer_.resize(golden_->signers().size());
  }

  bool by_digest(const ImaEntry& entry) {
    const bool golden = find_golden(*golden_, entry, notes_);
    by_digest_ += golden ? 1 : 0;
    return golden;
  }

  bool by_signer(const ImaEntry& entry) {
    const auto signer = find_signer(entry, *golden_, memory_);
    if (!signer) return false;
    ++by_signer_[*signer];
    note_signer(*signer, entry, notes_);
    return true;
  }

  // As LogAppraiser::rule_for() numbers and notes them.
  void add_settled(const std::vector<std::uint64_t>& by_rule, const EntryNotes& notes) {
    notes_.add_all(notes, kSettled);
    for (std::size_t rule = 0; rule < by_rule.size(); ++rule) {
      (rule == 0 ? by_digest_ : by_signer_[rule - 1]) += by_rule[rule];
    }
  }

  void report(AcceptedEntries& out) const {
    out.digest = by_digest_;
    out.groups = groups_of(notes_);
    if (golden_ != nullptr) out.pods = pods_of(notes_, *golden_);
    out.pods_complete = notes_.is_complete();
    for (std::size_t i = 0; i < by_signer_.size(); ++i) {
      const auto& signer = golden_->signers()[i];
      if (by_signer_[i] == 0) continue;
      out.signers.push_back({.set = std::string(golden_->set_name(signer.set)),
                             .key = signer.key.fingerprint(),
                             .entries = by_signer_[i]});
    }
  }

 private:
  // Where the entries are does not matter here.
  static constexpr std::uint64_t kSettled = std::numeric_limits<std::uint64_t>::max();

  const GoldenSnapshot* golden_;
  SignatureMemory* memory_;
  EntryNotes notes_;
  std::uint64_t by_digest_ = 0;
  std::vector<std::uint64_t> by_signer_;  // by position among golden_->signers()
};

// Adds a fault of `entry`; a buffer's with its own id, and in words. Reading a certificate is dear: of
// faults that are not listed only number and severity count, which all kinds of buffers have in common.
void add_fault(const ImaEntry& entry, Fault fault, const PodExpectation& pods, FaultList& out) {
  const auto buffer = out.is_full() ? std::nullopt : measured_buffer(entry);
  if (buffer && fault.id == FaultId::kImaUnknownDigest) {
    fault.id = unknown_buffer_fault(buffer->kind);
  }
  if (buffer && fault.detail.empty()) fault.detail = describe(*buffer);
  if (const auto owner = out.is_full() ? std::nullopt : owner_of(entry, pods)) {
    fault.detail += (fault.detail.empty() ? "" : "; ") + describe(*owner, pods);
  }
  out.add(std::move(fault));
}

// Whether what an entry measures acts in its pod alone, going by its name: a module acts in the kernel. A
// draft has to be able to hold the name.
bool stays_in_pod(const ImaEntry& entry) {
  const std::string_view name = entry.name;
  const std::string_view last = name.substr(name.rfind('/') + 1);
  return last.find(".ko") == std::string_view::npos && !name.empty() &&
         name.size() <= kMaxMonitoredPathBytes && name.find('\0') == std::string_view::npos;
}

// Unknown files of monitored namespaces, each once.
class Monitored {
 public:
  // False: there is no room.
  bool add(MonitoredFile file) {
    if (files_.size() == kMaxMonitored && !files_.contains(file)) return false;
    files_.insert(std::move(file));
    ++entries_;
    return true;
  }
  void report(LogAppraisal& out) const {
    out.monitored = {files_.begin(), files_.end()};
    out.accepted.monitored = entries_;
  }

 private:
  std::set<MonitoredFile> files_;
  std::uint64_t entries_ = 0;
};

// Applies the mode of the namespace whose pod ran an unknown file. False: there is no fault any more.
bool apply_mode(const ImaEntry& entry, const PodExpectation& pods, Fault& fault, Monitored& out) {
  if (fault.id != FaultId::kImaUnknownDigest || !stays_in_pod(entry)) return true;
  const auto owner = owner_of(entry, pods);
  if (!owner || owner->mode == NamespaceMode::kEnforce) return true;
  if (owner->mode == NamespaceMode::kMonitor) {
    return !out.add({owner->pod->name_space, std::string(entry.name), *entry.file_digest});
  }
  fault.severity = Severity::kWarning;
  return true;
}

// The fault of an entry that is not golden, or nothing. Without golden sets an entry that
// contradicts itself is still one.
std::optional<Fault> judge(const ImaEntry& entry, const LogExpectation& expected,
                           Acceptance& accepted) {
  if (expected.golden == nullptr && entry.digest_state != FileDigestState::kContradicted) {
    return std::nullopt;
  }
  switch (entry.digest_state) {
    case FileDigestState::kKnown:
      if (accepted.by_digest(entry) || accepted.by_signer(entry)) return std::nullopt;
      return about_unknown(entry);
    case FileDigestState::kUnmeasured:
      return judge_violation(entry, expected.violations);
    case FileDigestState::kUnsupported:
      return about(FaultId::kImaUnsupportedDigest, entry);
    case FileDigestState::kContradicted:
      return about_template(FaultId::kImaTemplateContradicted, entry);
    case FileDigestState::kNoField:
      return about_template(FaultId::kImaUnknownTemplate, entry);
  }
  return about(FaultId::kImaUnsupportedDigest, entry);
}

// For a boot_aggregate entry whose value the quote can tell: whether it is that value.
std::optional<bool> check_boot_aggregate(const ImaEntry& entry, const QuotedPcrs& quoted) {
  if (entry.name != kBootAggregate || !entry.file_digest) return std::nullopt;
  const auto expected = boot_aggregate(entry.file_digest->alg(), quoted);
  if (!expected) return std::nullopt;
  return *expected == *entry.file_digest;
}

Fault enforced(Fault fault, const ImaPolicyRule& rule) {
  if (rule.enforce == Enforcement::kWarn) fault.severity = Severity::kWarning;
  return fault;
}

bool is_policy_load(const ImaEntry& entry, const LogExpectation& expected) {
  return expected.ima_policy != nullptr && !entry.violation && entry.file_digest &&
         is_accepted(expected.ima_policy->accept, *entry.file_digest, expected.today);
}

void judge_policy_load(const ImaEntry& entry, const ImaPolicyRule& rule, LogAppraisal& out) {
  if (out.ima_policy == ImaPolicyState::kNotJudged) return;
  if (out.ima_policy == ImaPolicyState::kLoaded) {
    out.faults.add(about(FaultId::kImaPolicyRepeated, entry));
  } else if (entry.index >= rule.within_entries) {
    out.faults.add(enforced(about(FaultId::kImaPolicyLate, entry), rule));
  }
  out.ima_policy = ImaPolicyState::kLoaded;
}

// Before the entries of `log` are judged.
ImaPolicyState policy_state(const AttestedImaLog& log, const LogExpectation& expected) {
  if (expected.ima_policy == nullptr) return ImaPolicyState::kNotJudged;
  return log.first_entry() == 0 ? ImaPolicyState::kAwaited : expected.ima_policy_before;
}

// After them.
void miss_policy(const AttestedImaLog& log, const LogExpectation& expected, LogAppraisal& out) {
  if (out.ima_policy != ImaPolicyState::kAwaited) return;
  const bool in_time = expected.grace == ImaPolicyGrace::kFirstEvidence && log.first_entry() == 0 &&
                       log.next().entries < expected.ima_policy->within_entries;
  if (in_time) return;
  out.faults.add(enforced({.id = FaultId::kImaPolicyMissing}, *expected.ima_policy));
  out.ima_policy = ImaPolicyState::kMissing;
}

}  // namespace

bool FaultList::has(FaultClass wanted) const {
  return std::ranges::any_of(faults_, [&](const Fault& f) { return fault_class(f.id) == wanted; });
}

// Rule 0 is the digest, rule i + 1 signer i.
std::optional<std::size_t> LogAppraiser::rule_for(const ImaEntry& entry, EntryNotes& notes) const {
  const GoldenSnapshot* golden = expected_.golden;
  if (golden == nullptr || entry.index == 0 || !entry.file_digest) return std::nullopt;
  // Other rules speak of these.
  if (entry.name == kBootAggregate || contradicts_buffer(entry) ||
      is_policy_load(entry, expected_)) {
    return std::nullopt;
  }
  if (find_golden(*golden, entry, notes)) return 0;
  const auto signer = recall_signer(entry, *golden, expected_.signatures);
  if (!signer) return std::nullopt;
  note_signer(*signer, entry, notes);
  return *signer + 1;
}

LogAppraisal LogAppraiser::appraise(const AttestedImaLog& log) const {
  ASSAY_CHECK(log.filter() == nullptr || log.filter() == this);
  const LogExpectation& expected = expected_;
  LogAppraisal out;
  out.ima_policy = policy_state(log, expected);
  Acceptance accepted(expected);
  Monitored monitored;
  ImaEntry entry;
  for (OpenEntryReader entries = log.open_entries(); !entries.at_end();) {
    entries.read(entry);
    if (entry.index == 0 && entry.name != kBootAggregate) {
      out.faults.add(about(FaultId::kBootAggregateMissing, entry));
    }
    if (const auto aggregate_ok = check_boot_aggregate(entry, quoted_)) {
      out.boot_aggregate_ok = out.boot_aggregate_ok.value_or(true) && *aggregate_ok;
      out.accepted.boot_aggregate += *aggregate_ok ? 1 : 0;
      if (!*aggregate_ok) {
        out.faults.add(about_aggregate(FaultId::kBootAggregateMismatch, entry));
      }
      continue;
    }
    if (contradicts_buffer(entry)) {
      add_fault(entry, about(FaultId::kImaBufferDigestMismatch, entry), expected.pods, out.faults);
      continue;
    }
    if (is_policy_load(entry, expected)) {
      ++out.accepted.ima_policy;
      judge_policy_load(entry, *expected.ima_policy, out);
      continue;
    }
    if (auto fault = judge(entry, expected, accepted)) {
      out.boot_aggregate_unproven |= fault->id == FaultId::kBootAggregateUnproven;
      if (apply_mode(entry, expected.pods, *fault, monitored)) {
        add_fault(entry, *std::move(fault), expected.pods, out.faults);
      }
    }
  }
  miss_policy(log, expected, out);
  accepted.add_settled(log.settled(), log.notes());
  accepted.report(out.accepted);
  monitored.report(out);
  return out;
}

std::optional<Digest> boot_aggregate(HashAlg alg, const QuotedPcrs& quoted) {
  Hasher hasher(alg);
  hasher.start();
  for (const PcrSlot& slot : boot_aggregate_selection(alg)) {
    const Digest* value = quoted.find(slot);
    if (value == nullptr) return std::nullopt;
    hasher.add(value->bytes());
  }
  return hasher.finish();
}

}  // namespace assay
