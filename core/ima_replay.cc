#include "core/ima_replay.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace assay {
namespace {

// One bank's PCRs while entries go by.
class Bank {
 public:
  enum class Extends { kTemplateDigest, kPaddedSha1 };

  Bank(HashAlg alg, Extends extends, const PcrValues& running)
      : alg_(alg), extends_(extends), hasher_(alg) {
    for (const auto& [slot, value] : running) {
      if (slot.bank == alg) pcrs_[slot.index.value()] = value;
    }
    if (!pcrs_[kImaPcr.value()]) pcrs_[kImaPcr.value()] = Digest::zero(alg);
  }

  HashAlg alg() const { return alg_; }

  void extend_with(const ImaEntry& entry, const Digest& sha1) {
    std::optional<Digest>& pcr = pcrs_[entry.pcr.value()];
    pcr = extend(hasher_, pcr.value_or(Digest::zero(alg_)), value_for(entry, sha1));
  }

  // Whether `index` stands at its quoted value.
  bool at_quote(PcrIndex index, const QuotedPcrs& quoted) const {
    const Digest* want = quoted.find({alg_, index});
    return want != nullptr && pcrs_[index.value()] == *want;
  }

  // Whether every PCR that the log has extended, and the quote covers, stands at its quoted value.
  bool at_quote(const QuotedPcrs& quoted) const {
    for (std::uint32_t i = 0; i < PcrIndex::kCount; ++i) {
      const Digest* want = quoted.find({alg_, *PcrIndex::from(i)});
      if (pcrs_[i] && want != nullptr && *pcrs_[i] != *want) return false;
    }
    return at_quote(kImaPcr, quoted);
  }

  PcrValues running() const {
    PcrValues out;
    for (std::uint32_t i = 0; i < PcrIndex::kCount; ++i) {
      if (pcrs_[i]) out.emplace(PcrSlot{alg_, *PcrIndex::from(i)}, *pcrs_[i]);
    }
    return out;
  }

 private:
  Digest value_for(const ImaEntry& entry, const Digest& sha1) {
    if (entry.violation) return Digest::filled(alg_, 0xff);
    if (extends_ == Extends::kPaddedSha1) return *Digest::padded(alg_, sha1.bytes());
    return alg_ == HashAlg::kSha1 ? sha1 : template_digest(entry, hasher_);
  }

  HashAlg alg_;
  Extends extends_;
  Hasher hasher_;
  std::array<std::optional<Digest>, PcrIndex::kCount> pcrs_;
};

// Banks other than the primary one that the quote covers: each has to agree, in one of the ways in
// which a kernel may have extended it.
class OtherBanks {
 public:
  OtherBanks(const QuotedPcrs& quoted) {
    for (const HashAlg alg : kAllHashAlgs) {
      if (alg == quoted.primary_bank() || quoted.find({alg, kImaPcr}) == nullptr) continue;
      banks_.emplace_back(alg, Bank::Extends::kTemplateDigest, PcrValues{});
      if (alg == HashAlg::kSha384 || alg == HashAlg::kSha512) {
        banks_.emplace_back(alg, Bank::Extends::kPaddedSha1, PcrValues{});
      }
    }
  }

  void extend_with(const ImaEntry& entry, const Digest& sha1) {
    for (Bank& bank : banks_) bank.extend_with(entry, sha1);
  }

  // The first bank that agrees in no way, or nothing.
  std::optional<HashAlg> disagreeing(const QuotedPcrs& quoted) const {
    for (const Bank& bank : banks_) {
      const bool agrees = std::ranges::any_of(banks_, [&](const Bank& other) {
        return other.alg() == bank.alg() && other.at_quote(quoted);
      });
      if (!agrees) return bank.alg();
    }
    return std::nullopt;
  }

 private:
  std::vector<Bank> banks_;
};

struct Match {
  LogCheckpoint at;
  std::optional<HashAlg> disagreeing;
};

class Replay {
 public:
  Replay(const QuotedPcrs& quoted, const LogCheckpoint& from)
      : quoted_(quoted),
        from_(from),
        primary_(quoted.primary_bank(), Bank::Extends::kTemplateDigest, from.running) {
    if (from.entries == 0) others_.emplace(quoted);
    if (primary_.at_quote(quoted_)) remember_match(from.entries, 0);
  }

  Status step(const ImaEntry& entry, std::size_t bytes_behind) {
    if (quoted_.find({primary_.alg(), entry.pcr}) == nullptr) {
      return fail(FaultId::kImaPcrNotQuoted, "entry " + std::to_string(entry.index) +
                                                 " names PCR " + std::to_string(entry.pcr.value()));
    }
    const Digest sha1 = template_digest(entry, sha1_);
    if (!entry.violation && !std::ranges::equal(sha1.bytes(), entry.header_digest)) {
      return fail(FaultId::kImaTemplateDigestMismatch, "entry " + std::to_string(entry.index));
    }
    primary_.extend_with(entry, sha1);
    if (others_) others_->extend_with(entry, sha1);
    if (primary_.at_quote(entry.pcr, quoted_) && primary_.at_quote(quoted_)) {
      remember_match(entry.index + 1, bytes_behind);
    }
    return {};
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
  void remember_match(std::uint64_t entries, std::size_t bytes_behind) {
    match_ = Match{.at = {.entries = entries,
                          .bytes = from_.bytes + bytes_behind,
                          .running = primary_.running()},
                   .disagreeing = others_ ? others_->disagreeing(quoted_) : std::nullopt};
  }

  const QuotedPcrs& quoted_;
  const LogCheckpoint& from_;
  Hasher sha1_{HashAlg::kSha1};
  Bank primary_;
  std::optional<OtherBanks> others_;
  std::optional<Match> match_;
};

}  // namespace

Result<AttestedImaLog> replay_ima_log(ByteView log, const QuotedPcrs& quoted,
                                      const LogCheckpoint& from) {
  Replay replay(quoted, from);
  ImaLogReader reader(log, from.entries);
  while (!reader.at_end()) {
    ASSAY_TRY(const ImaEntry entry, reader.next());
    ASSAY_OK(replay.step(entry, reader.offset()));
  }
  ASSAY_TRY(Match match, std::move(replay).finish(reader.next_index() - from.entries));
  const ByteView proven = log.first(match.at.bytes - from.bytes);
  const std::uint64_t tail = reader.next_index() - match.at.entries;
  return AttestedImaLog(proven, from.entries, std::move(match.at), tail);
}

}  // namespace assay
