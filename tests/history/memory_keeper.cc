#include "tests/history/memory_keeper.h"

namespace assay::testing {

Status MemoryKeeper::greet(const AkPublic& ak, Instant now) {
  const bool may_enrol = !node_ || (re_enrol_until_ && now <= *re_enrol_until_);
  if (may_enrol) {
    node_ = Node{.ak = ak, .standing = {.since = now}};
    re_enrol_until_.reset();
    return {};
  }
  if (node_->ak.fingerprint() == ak.fingerprint()) return {};
  return fail(FaultId::kEnrolKeyChanged, "");
}

Basis MemoryKeeper::basis() {
  return {.ak = node_->ak, .from = node_->checkpoint, .last_clock = node_->clock};
}

void MemoryKeeper::apply(const Basis&, const Appraisal& appraisal, Instant now) {
  node_->standing = decide(node_->standing, appraisal, now);
  if (appraisal.log) {
    if (appraisal.continuity == Continuity::kRebooted) node_->findings.clear();
    node_->checkpoint = *appraisal.next;
    node_->clock = appraisal.clock;
  }
  if (is_guilty(appraisal)) node_->findings.merge(findings_in(appraisal.faults));
}

void MemoryKeeper::acknowledge(Instant now) {
  node_->standing = assay::acknowledge(node_->standing, now);
  node_->findings.clear();
}

}  // namespace assay::testing
