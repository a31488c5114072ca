// A node as the verifier's store has it, in a few lines of memory: for many histories.
#pragma once

#include "tests/history/keeper.h"

namespace assay::testing {

// attest()'s answers go through decide() and nothing else of the verifier.
class MemoryKeeper final : public Keeper {
 public:
  Status greet(const AkPublic& ak, Instant now) override;
  Basis basis() override;
  void apply(const Basis& basis, const Appraisal& appraisal, Instant now) override;
  void acknowledge(Instant now) override;
  void allow_re_enrolment(Instant until) override { re_enrol_until_ = until; }
  void crash(Instant) override {}
  NodeState state() override { return node_->standing.state; }
  Findings open_findings() override { return node_->findings; }

 private:
  struct Node {
    AkPublic ak;
    LogCheckpoint checkpoint = {};
    std::optional<TpmClock> clock = {};
    Standing standing = {};
    Findings findings = {};  // open, of this boot
  };
  std::optional<Node> node_;
  std::optional<Instant> re_enrol_until_;
};

}  // namespace assay::testing
