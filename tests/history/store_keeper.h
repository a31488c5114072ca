// A node in the verifier's own ledger, over its own store in a file.
#pragma once

#include <optional>

#include "tests/history/keeper.h"
#include "tests/support/temp_dir.h"

namespace assay::testing {

class StoreKeeper final : public Keeper {
 public:
  // `dir` has the file; an empty database is copied into it from one that is made once, since to
  // make one is dear.
  explicit StoreKeeper(const TempDir& dir);

  Status greet(const AkPublic& ak, Instant now) override;
  Basis basis() override;
  void apply(const Basis& basis, const Appraisal& appraisal, Instant now) override;
  void acknowledge(Instant now) override;
  void allow_re_enrolment(Instant until) override;
  void crash(Instant now) override;  // drops the ledger, and opens the file anew
  NodeState state() override;
  Findings open_findings() override;

 private:
  void open(Instant now);

  std::filesystem::path file_;
  std::optional<Store> store_;
  std::optional<Ledger> ledger_;  // borrows *store_
  NodeId node_{};
};

}  // namespace assay::testing
