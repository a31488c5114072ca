// What keeps a node between two answers.
#pragma once

#include "tests/history/reference.h"
#include "verifier/ledger.h"

namespace assay::testing {

class Keeper {
 public:
  virtual ~Keeper() = default;

  // The node's agent says hello, and enrols when its key is not known. Fails as Store::admit() does.
  virtual Status greet(const AkPublic& ak, Instant now) = 0;

  virtual Basis basis() = 0;  // of a challenge
  virtual void apply(const Basis& basis, const Appraisal& appraisal, Instant now) = 0;

  // An operator acts.
  virtual void acknowledge(Instant now) = 0;
  virtual void allow_re_enrolment(Instant until) = 0;

  // The verifier is gone and comes back: what it has not committed is lost.
  virtual void crash(Instant now) = 0;

  virtual NodeState state() = 0;
  virtual Findings open_findings() = 0;
};

}  // namespace assay::testing
