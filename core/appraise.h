// Attested measurements against reference values: what is wrong with this node, if anything.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/golden_set.h"
#include "core/ima_replay.h"

namespace assay {

// Faults in log order: the first kMaxFaults of them, and how many there were in all.
class FaultList {
 public:
  static constexpr std::size_t kMaxFaults = 1000;

  void add(Fault fault) {
    ++total_;
    if (faults_.size() < kMaxFaults) faults_.push_back(std::move(fault));
  }
  bool empty() const { return total_ == 0; }
  std::uint64_t total() const { return total_; }
  const std::vector<Fault>& listed() const { return faults_; }
  bool has(FaultClass fault_class) const;

 private:
  std::vector<Fault> faults_;
  std::uint64_t total_ = 0;
};

struct LogAppraisal {
  FaultList faults;
  // Whether the boot_aggregate entries equal what the quoted PCRs give; nothing when the log has
  // none in this part, or the quote does not cover the PCRs that it takes.
  std::optional<bool> boot_aggregate_ok;
};

// Judges every entry of `log`; there is no entry that is skipped. An entry is accepted when it is
//   * a boot_aggregate that equals the digest of the quoted PCRs 0–9 (0–7 for SHA-1), or
//   * one whose file digest is golden: its name never matters.
// Anything else is a fault: kBootAggregateMismatch, kImaViolation, kImaUnsupportedDigest,
// kImaUnknownDigest. Without a golden snapshot only the boot_aggregate is judged.
//
//   golden   null, or borrowed for the call
//
// Total and pure.
LogAppraisal appraise(const AttestedImaLog& log, const QuotedPcrs& quoted,
                      const GoldenSnapshot* golden);

// What the kernel writes as the first entry of a boot: H(PCR 0 … 9) of hash `alg`'s bank, PCR 0 … 7
// for SHA-1. Nothing when the quote does not cover them all.
//
// Linux security/integrity/ima/ima_crypto.c ima_calc_boot_aggregate_tfm().
std::optional<Digest> boot_aggregate(HashAlg alg, const QuotedPcrs& quoted);

}  // namespace assay
