#include "core/ima_replay.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

namespace assay {
namespace {

// The template digests of one entry, each made once however many banks want it.
class TemplateDigests {
 public:
  void start(const ImaEntry& entry) {
    entry_ = &entry;
    for (std::optional<Digest>& digest : have_) digest.reset();
  }

  const Digest& of(HashAlg alg) {
    std::optional<Digest>& out = have_[static_cast<std::size_t>(alg)];
    if (!out) out = template_digest(*entry_, hasher(alg));
    return *out;
  }

  Hasher& hasher(HashAlg alg) {
    std::optional<Hasher>& out = hashers_[static_cast<std::size_t>(alg)];
    if (!out) out.emplace(alg);
    return *out;
  }

 private:
  const ImaEntry* entry_ = nullptr;
  std::array<std::optional<Digest>, std::size(kAllHashAlgs)> have_;
  std::array<std::optional<Hasher>, std::size(kAllHashAlgs)> hashers_;
};

// What a kernel extends a bank with.
enum class Extends : std::uint8_t { kTemplateDigest, kPaddedSha1 };

// One bank's PCRs while entries go by.
class Bank {
 public:
  Bank(HashAlg alg, Extends extends, const PcrValues& running, const QuotedPcrs& quoted)
      : alg_(alg), extends_(extends) {
    for (std::uint32_t i = 0; i < PcrIndex::kCount; ++i) {
      quoted_[i] = quoted.find({alg, *PcrIndex::from(i)});
    }
    for (const auto& [slot, value] : running) {
      if (slot.bank == alg) pcrs_[slot.index.value()] = value;
    }
    if (!pcrs_[kImaPcr.value()]) pcrs_[kImaPcr.value()] = Digest::zero(alg);
  }

  HashAlg alg() const { return alg_; }

  void extend_with(const ImaEntry& entry, TemplateDigests& digests) {
    std::optional<Digest>& pcr = pcrs_[entry.pcr.value()];
    if (!pcr) pcr = Digest::zero(alg_);
    pcr = extend(digests.hasher(alg_), *pcr, value_for(entry, digests));
  }

  bool covers(PcrIndex index) const { return quoted_[index.value()] != nullptr; }

  // Whether `index` stands at its quoted value.
  bool at_quote(PcrIndex index) const {
    const Digest* want = quoted_[index.value()];
    return want != nullptr && pcrs_[index.value()] == *want;
  }

  // Whether every PCR that the log has extended, and the quote covers, stands at its quoted value.
  bool at_quote() const {
    for (std::size_t i = 0; i < PcrIndex::kCount; ++i) {
      if (pcrs_[i] && quoted_[i] != nullptr && *pcrs_[i] != *quoted_[i]) return false;
    }
    return at_quote(kImaPcr);
  }

  // The first PCR that entries have extended since `running`, where it was still zero, and that the
  // quote has at another value than zero.
  std::optional<PcrIndex> moved_since(const PcrValues& running) const {
    for (std::uint32_t i = 0; i < PcrIndex::kCount; ++i) {
      const PcrIndex index = *PcrIndex::from(i);
      if (pcrs_[i] && !running.contains({alg_, index}) && *quoted_[i] != Digest::zero(alg_)) {
        return index;
      }
    }
    return std::nullopt;
  }

  PcrValues running() const {
    PcrValues out;
    for (std::uint32_t i = 0; i < PcrIndex::kCount; ++i) {
      if (pcrs_[i]) out.emplace(PcrSlot{alg_, *PcrIndex::from(i)}, *pcrs_[i]);
    }
    return out;
  }

 private:
  // Of a violation the kernel extends ones, as many as the bank is wide whatever it can compute:
  // Linux ima_queue.c ima_init_digests().
  Digest value_for(const ImaEntry& entry, TemplateDigests& digests) const {
    if (entry.violation) return Digest::filled(alg_, 0xff);
    if (extends_ == Extends::kTemplateDigest) return digests.of(alg_);
    return *Digest::padded(alg_, digests.of(HashAlg::kSha1).bytes());
  }

  HashAlg alg_;
  Extends extends_;
  std::array<std::optional<Digest>, PcrIndex::kCount> pcrs_;
  std::array<const Digest*, PcrIndex::kCount> quoted_;  // null: not covered
};

// Banks other than the primary one that the quote covers: each has to agree, in one of the ways in
// which a kernel may have extended it.
class OtherBanks {
 public:
  explicit OtherBanks(const QuotedPcrs& quoted) {
    for (const HashAlg alg : kAllHashAlgs) {
      if (alg == quoted.primary_bank() || quoted.find({alg, kImaPcr}) == nullptr) continue;
      banks_.emplace_back(alg, Extends::kTemplateDigest, PcrValues{}, quoted);
      if (alg != HashAlg::kSha1)
        banks_.emplace_back(alg, Extends::kPaddedSha1, PcrValues{}, quoted);
    }
  }

  void extend_with(const ImaEntry& entry, TemplateDigests& digests) {
    for (Bank& bank : banks_) bank.extend_with(entry, digests);
  }

  // The first bank that agrees in no way, or nothing.
  std::optional<HashAlg> disagreeing() const {
    for (const Bank& bank : banks_) {
      const bool agrees = std::ranges::any_of(
          banks_, [&](const Bank& other) { return other.alg() == bank.alg() && other.at_quote(); });
      if (!agrees) return bank.alg();
    }
    return std::nullopt;
  }

 private:
  std::vector<Bank> banks_;
};

struct Match {
  LogCheckpoint at;
  std::size_t last_record = 0;  // where it begins in the replayed bytes
  std::optional<HashAlg> disagreeing;
};

// One way to read one sequence of records.
class Replay {
 public:
  Replay(const QuotedPcrs& quoted, const LogCheckpoint& from, HashAlg header, Extends extends)
      : from_(from),
        header_(header),
        primary_(quoted.primary_bank(), extends, from.running, quoted) {
    if (from.entries == 0) others_.emplace(quoted);
    if (primary_.at_quote()) match_ = match(from.entries, 0, 0);
  }

  // An entry whose record is in [begin, end) of the bytes.
  Status step(const ImaEntry& entry, std::size_t begin, std::size_t end) {
    if (!primary_.covers(entry.pcr)) {
      return fail(FaultId::kImaPcrNotQuoted, "entry " + std::to_string(entry.index) +
                                                 " names PCR " + std::to_string(entry.pcr.value()));
    }
    digests_.start(entry);
    if (!entry.violation && !header_agrees(entry)) {
      return fail(FaultId::kImaTemplateDigestMismatch, "entry " + std::to_string(entry.index));
    }
    primary_.extend_with(entry, digests_);
    if (others_) others_->extend_with(entry, digests_);
    if (primary_.at_quote(entry.pcr) && primary_.at_quote()) {
      match_ = match(entry.index + 1, begin, end);
    }
    return success();
  }

  // Whether the quote is of the log up to this entry, the last one that was stepped over.
  bool matches_after(const ImaEntry& entry) const {
    return match_ && match_->at.entries == entry.index + 1;
  }

  Result<Match> finish(std::uint64_t entries_seen) && {
    if (!match_) {
      return entries_seen == 0 && from_.entries > 0
                 ? fail(FaultId::kImaLogTruncated, "no entry after " +
                                                       std::to_string(from_.entries) +
                                                       ", but the PCR has moved on")
                 : fail(FaultId::kImaPcrMismatch, "none of " + std::to_string(entries_seen) +
                                                      " entries leads to the quoted PCR");
    }
    // The tail may hold entries of a PCR that nothing before it does. Were the quote ahead of that PCR's
    // first entry, the log would have led to its value.
    if (const auto moved = primary_.moved_since(match_->at.running)) {
      return fail(FaultId::kImaPcrMismatch,
                  "no entry leads to the quoted PCR " + std::to_string(moved->value()));
    }
    if (match_->disagreeing) {
      return fail(FaultId::kImaPcrMismatch, "the " + std::string(hash_name(*match_->disagreeing)) +
                                                " bank does not hold the log that the " +
                                                std::string(hash_name(primary_.alg())) +
                                                " bank proves");
    }
    if (match_->at.entries == 0) return fail(FaultId::kImaNothingMeasured, "PCR 10 is at zero");
    return *std::move(match_);
  }

 private:
  // A file of an algorithm that the kernel lacks shows SHA-1 digests, padded as they are extended.
  bool header_agrees(const ImaEntry& entry) {
    if (same(digests_.of(header_).bytes(), entry.header_digest)) return true;
    const Digest& sha1 = digests_.of(HashAlg::kSha1);
    return same(Digest::padded(header_, sha1.bytes())->bytes(), entry.header_digest);
  }

  static bool same(ByteView a, ByteView b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
  }

  Match match(std::uint64_t entries, std::size_t last_record, std::size_t end) const {
    return {.at = {.entries = entries, .bytes = end, .running = primary_.running()},
            .last_record = last_record,
            .disagreeing = others_ ? others_->disagreeing() : std::nullopt};
  }

  const LogCheckpoint& from_;
  HashAlg header_;
  TemplateDigests digests_;
  Bank primary_;
  std::optional<OtherBanks> others_;
  std::optional<Match> match_;
};

struct Question {
  const QuotedPcrs& quoted;
  const LogCheckpoint& from;
  const ReplayRules& rules;
  const EntryFilter* filter;
};

// What leads from the checkpoint to the quote, and what all entries were.
struct Found {
  Match match;
  std::uint64_t entries = 0;
  LogCounts counts;
  OpenEntries open;
  std::vector<std::uint64_t> settled;  // by rule
  EntryNotes notes;
};

// Asks a filter about one entry after the other.
class Sorter {
 public:
  explicit Sorter(const EntryFilter* filter) : filter_(filter) {}

  // An entry whose record begins at `offset`.
  void add(const ImaEntry& entry, std::size_t offset) {
    const auto rule = filter_ == nullptr ? std::nullopt : filter_->rule_for(entry, notes_);
    if (!rule) return open_.add({.offset = offset, .index = entry.index});
    if (*rule >= settled_.size()) settled_.resize(*rule + 1);
    ++settled_[*rule];
  }

  // All entries so far lead to the quote.
  void mark() { at_match_ = settled_; }

  // What there is before entry `end`, where mark() was called last.
  void finish(std::uint64_t end, Found& out) && {
    open_.keep_before(end);
    notes_.keep_before(end);
    out.open = std::move(open_);
    out.notes = std::move(notes_);
    if (!out.open.is_all()) out.settled = std::move(at_match_);
  }

 private:
  const EntryFilter* filter_;
  OpenEntries open_;
  EntryNotes notes_;
  std::vector<std::uint64_t> settled_;
  std::vector<std::uint64_t> at_match_;
};

// Counts without allocating but for a name that is new.
class Counter {
 public:
  void add(const ImaEntry& entry) {
    if (entry.violation) ++counts_.violations;
    if (count_ == nullptr || entry.template_name != name_) {
      name_ = entry.template_name;
      count_ = &count_of(name_);
    }
    ++*count_;
  }

  LogCounts counts() && { return std::move(counts_); }

 private:
  std::uint64_t& count_of(std::string_view name) {
    auto& templates = counts_.templates;
    if (const auto found = templates.find(name); found != templates.end()) return found->second;
    const bool full = templates.size() >= LogCounts::kMaxTemplates;
    return templates.try_emplace(full ? "other" : std::string(name), 0).first->second;
  }

  LogCounts counts_;
  std::string_view name_;
  std::uint64_t* count_ = nullptr;  // of `name_`
};

Result<Found> replay_as(ByteView log, const Question& question, Extends extends) {
  Replay replay(question.quoted, question.from, question.rules.form.digests, extends);
  ImaLogReader reader(log, question.rules.form, question.from.entries);
  Counter counter;
  Sorter sorter(question.filter);
  ImaEntry entry;
  while (!reader.at_end()) {
    const std::size_t begin = reader.offset();
    ASSAY_OK(reader.read(entry));
    ASSAY_OK(replay.step(entry, begin, reader.offset()));
    counter.add(entry);
    sorter.add(entry, begin);
    if (replay.matches_after(entry)) sorter.mark();
  }
  const std::uint64_t entries = reader.next_index() - question.from.entries;
  ASSAY_TRY(Match match, std::move(replay).finish(entries));
  Found out{.match = std::move(match), .entries = entries, .counts = std::move(counter).counts()};
  std::move(sorter).finish(out.match.at.entries, out);
  return out;
}

// From a log that begins at the checkpoint. The second way is looked at only when the first leads
// nowhere: it is rare, and what failed by its form fails in both.
Result<Found> replay_from(ByteView log, const Question& question) {
  auto found = replay_as(log, question, Extends::kTemplateDigest);
  if (found || found.error().id != FaultId::kImaPcrMismatch ||
      question.quoted.primary_bank() == HashAlg::kSha1) {
    return found;
  }
  auto padded = replay_as(log, question, Extends::kPaddedSha1);
  if (!padded) return found;
  if (!question.rules.allow_sha1) {
    return fail(FaultId::kQuoteSha1Refused,
                "PCR 10's " + std::string(hash_name(question.quoted.primary_bank())) +
                    " bank holds padded SHA-1 digests: the kernel lacks that algorithm");
  }
  return padded;
}

// Offsets at which the entry after the checkpoint may begin: after records that equal the last
// proven one, newest first, and where the log does, when just the proven ones were removed.
Result<std::vector<std::size_t>> resume_points(ByteView log, const Question& question) {
  std::vector<std::size_t> after;
  Hasher sha256(HashAlg::kSha256);
  ImaLogReader reader(log, question.rules.form);
  while (question.from.last_record && !reader.at_end()) {
    const std::size_t begin = reader.offset();
    ASSAY_TRY([[maybe_unused]] const ImaEntry entry, reader.next());
    if (sha256(log.subspan(begin, reader.offset() - begin)) == *question.from.last_record) {
      after.push_back(reader.offset());
    }
  }
  std::ranges::reverse(after);
  after.resize(std::min(after.size(), kMaxResumePoints - 1));
  after.push_back(0);
  return after;
}

}  // namespace

void OpenEntries::add(Place place) {
  if (places_.size() == kMax) {
    all_ = true;
  } else {
    places_.push_back(place);
  }
}

void OpenEntries::keep_before(std::uint64_t index) {
  while (!places_.empty() && places_.back().index >= index) places_.pop_back();
  if (places_.size() < kMax) all_ = false;  // what did not fit was behind these
}

void OpenEntryReader::read(ImaEntry& entry) {
  if (open_.is_all()) {
    ASSAY_CHECK(all_.read(entry).has_value());
    return;
  }
  const OpenEntries::Place& place = open_.places()[next_++];
  ImaLogReader at(proven_.subspan(place.offset), form_, place.index);
  ASSAY_CHECK(at.read(entry).has_value());
}

// Makes proofs: the only one that may.
class ReplayedPart {
 public:
  static Result<AttestedImaLog> attested(ByteView log, std::size_t begin,
                                         const Question& question) {
    const ByteView part = log.subspan(begin);
    ASSAY_TRY(Found found, replay_from(part, question));
    const LogCheckpoint& from = question.from;
    const std::size_t end = found.match.at.bytes;
    AttestedImaLog out;
    out.form_ = question.rules.form;
    out.proven_ = part.first(end);
    out.first_entry_ = from.entries;
    out.tail_entries_ = from.entries + found.entries - found.match.at.entries;
    out.counts_ = std::move(found.counts);
    out.filter_ = question.filter;
    out.open_ = std::move(found.open);
    out.settled_ = std::move(found.settled);
    out.notes_ = std::move(found.notes);
    out.next_ = std::move(found.match.at);
    const bool from_checkpoint = question.rules.start == LogStart::kAtCheckpoint;
    out.next_.bytes = end + (from_checkpoint ? from.bytes : begin);
    out.next_.last_record =
        end == 0 ? from.last_record
                 : hash(HashAlg::kSha256, out.proven_.subspan(found.match.last_record,
                                                              end - found.match.last_record));
    return out;
  }
};

Result<AttestedImaLog> replay_ima_log(ByteView log, const QuotedPcrs& quoted,
                                      const LogCheckpoint& from, const ReplayRules& rules,
                                      const EntryFilter* filter) {
  const Question question{.quoted = quoted, .from = from, .rules = rules, .filter = filter};
  if (rules.start == LogStart::kAtCheckpoint) return ReplayedPart::attested(log, 0, question);
  ASSAY_TRY(const std::vector<std::size_t> points, resume_points(log, question));
  std::optional<Fault> first;
  for (const std::size_t begin : points) {
    auto out = ReplayedPart::attested(log, begin, question);
    if (out) return out;
    if (!first) first = std::move(out).error();
  }
  return tl::unexpected<Fault>(*std::move(first));
}

}  // namespace assay
