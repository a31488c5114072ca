#include "tests/history/store_keeper.h"

#include <string>

namespace assay::testing {
namespace {

const std::string kName = "n1";
constexpr std::chrono::hours kDeadline{24};  // no history is so long

}  // namespace

StoreKeeper::StoreKeeper(const TempDir& dir) : file_(dir / "assay.db") {
  const std::filesystem::path empty = dir / "empty.db";
  if (!std::filesystem::exists(empty)) ASSAY_CHECK(Store::open(empty, {}).has_value());
  for (const char* rest : {"-wal", "-shm"}) std::filesystem::remove(file_.string() + rest);
  std::filesystem::copy_file(empty, file_, std::filesystem::copy_options::overwrite_existing);
  open(Instant{});
}

void StoreKeeper::open(Instant now) {
  auto opened = Store::open(file_, {});
  ASSAY_CHECK(opened.has_value());
  store_.emplace(*std::move(opened));
  ledger_.emplace(*store_, std::vector<VerdictSink*>{}, kDeadline);
  ASSAY_CHECK(ledger_->load(now).has_value());
}

// As Sessions does for a stream that says hello, and Enrolment for one whose TPM has proven itself.
Status StoreKeeper::greet(const AkPublic& ak, Instant now) {
  if (const auto known = ledger_->find(ak.fingerprint(), now)) {
    node_ = *known;
    return {};
  }
  ASSAY_TRY(const auto admitted,
            ledger_->admit({.name = kName,
                            .keys = {.ak = ak, .ek_id = digest_of("endorsement key")},
                            .rule = AdmissionRule::kListed},
                           now));
  ASSAY_CHECK(admitted.has_value());
  node_ = admitted->id;
  return {};
}

Basis StoreKeeper::basis() {
  return ledger_->basis(node_);
}

void StoreKeeper::apply(const Basis& basis, const Appraisal& appraisal, Instant now) {
  const auto outcome = ledger_->apply(basis, appraisal, {}, now);
  ASSAY_CHECK(outcome.has_value() && !outcome->outdated);
}

void StoreKeeper::acknowledge(Instant now) {
  ASSAY_CHECK(ledger_->acknowledge(kName, "seen to", now).has_value());
}

void StoreKeeper::allow_re_enrolment(Instant until) {
  ASSAY_CHECK(ledger_->allow_re_enrolment(kName, until).has_value());
}

void StoreKeeper::crash(Instant now) {
  ledger_.reset();
  store_.reset();
  open(now);
}

NodeState StoreKeeper::state() {
  return ledger_->node(kName)->standing.state;
}

Findings StoreKeeper::open_findings() {
  const auto open = store_->violations({.node = kName, .open_only = true, .limit = 1000});
  ASSAY_CHECK(open.has_value());
  Findings out;
  for (const ViolationRecord& violation : *open) out.insert(finding_of(violation.fault));
  return out;
}

}  // namespace assay::testing
