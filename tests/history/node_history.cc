#include "tests/history/node_history.h"

#include <algorithm>

namespace assay::testing {
namespace {

constexpr std::size_t kMaxSteps = 14;

GoldenSnapshot good_files() {
  GoldenSnapshot::Builder builder;
  builder.add(builder.add_set("host"), digest_of("good"));
  return std::move(builder).build();
}

std::string text_of(const Findings& findings) {
  std::string out;
  for (const auto& [name, entry] : findings) out += " " + name + "@" + std::to_string(entry);
  return out.empty() ? " nothing" : out;
}

}  // namespace

NodeHistory::NodeHistory(Tpms& tpms, Keeper& keeper, std::uint64_t seed)
    : tpms_(tpms), keeper_(keeper), random_(seed), golden_(good_files()) {
  for (Tpm& tpm : tpms_) {
    tpm.key.clock = {.clock_ms = 1000,
                     .reset_count = static_cast<std::uint32_t>(random_()),  // a constant is added
                     .safe = true,
                     .firmware_version = 42};
  }
  boot(0);
  if (!keeper_.greet(tpms_[key_].ak, now_)) wrong("the node is not let in");
}

std::string NodeHistory::walk() {
  const std::size_t steps = 4 + pick(kMaxSteps - 3);
  for (std::size_t i = 0; i < steps && wrong_.empty(); ++i) step();
  if (wrong_.empty()) attest_once(Mischief::kNone, Fate::kGoesOn, 0);
  return wrong_.empty() ? "" : wrong_ + " after:" + steps_;
}

void NodeHistory::step() {
  now_ += std::chrono::seconds(30);
  tpm().clock.clock_ms += 30'000;
  switch (const std::size_t which = pick(20)) {
    case 0:
      return acknowledge();
    case 1:
      return allow_re_enrolment();
    case 2:
      return replay_an_old_answer();
    case 3:
      return attest_once(Mischief::kNone, Fate::kLosesTheAnswer, 0);
    case 4:
      return attest_once(Mischief::kNone, Fate::kCrashesAfter, 0);
    case 5:
      return attest_once(Mischief::kNone, Fate::kGoesOn, 1 + pick(2));
    case 6:
      return attest_once(Mischief::kDropLast, Fate::kGoesOn, 0);
    case 7:
      return attest_once(Mischief::kDropAll, Fate::kGoesOn, 0);
    case 8:
      return attest_once(Mischief::kFlipTemplateDigest, Fate::kGoesOn, 0);
    case 9:
    case 10:
    case 11:
      return attest_once(Mischief::kNone, Fate::kGoesOn, 0);
    default:
      return step_of_the_node(which);
  }
}

void NodeHistory::step_of_the_node(std::size_t which) {
  switch (which) {
    case 12:
      return measure(Measured::kUnknown);
    case 13:
      return measure(Measured::kViolation);
    case 14:
      return measure(Measured::kBootAggregate);  // kexec: the log goes on
    case 15:
      return boot(1 + static_cast<std::uint32_t>(pick(3)));
    case 16:
      steps_ += " suspend";
      ++tpm().clock.restart_count;
      tpm().clock.clock_ms -= pick(2) * 10'000;
      return;
    case 17:
      // Rarer than the others: until an operator acts, nothing more is learnt of the node.
      return pick(2) == 0 ? clear() : roll_back();
    default:
      return measure(Measured::kGolden);
  }
}

void NodeHistory::measure(Measured what) {
  steps_ += " measure" + std::to_string(static_cast<int>(what));
  entries_.push_back(what);
  tpm().set(log_of(entries_).pcrs());
}

void NodeHistory::boot(std::uint32_t resets) {
  steps_ += " boot" + std::to_string(resets);
  tpm().clock.reset_count += resets;
  tpm().clock.restart_count = 0;
  tpm().clock.clock_ms -= std::min<std::uint64_t>(tpm().clock.clock_ms, pick(2) * 20'000);
  entries_ = {Measured::kBootAggregate};
  tpm().pcrs = FakeTpm::fresh_pcrs();
  tpm().set(log_of(entries_).pcrs());
}

// TPM2_Clear and the next boot: the old key is gone, and a new one counts from another start. While
// the verifier does not know the new one, the old one does not come back.
void NodeHistory::clear() {
  if (key_ != truth_.key) return;
  steps_ += " clear";
  key_ = 1 - key_;
  tpm().clock.clock_ms = 1000;
  boot(0);
}

// The same key on a TPM that counts from an earlier start: cleared with a key that outlives that, or
// brought back from a copy.
void NodeHistory::roll_back() {
  steps_ += " roll-back";
  tpm().clock.reset_count -= 1000 + static_cast<std::uint32_t>(pick(1000));
  boot(0);
}

void NodeHistory::acknowledge() {
  steps_ += " acknowledge";
  keeper_.acknowledge(now_);
  if (truth_.state == NodeState::kCompromised) truth_.state = NodeState::kUnknown;
  truth_.open = false;
  truth_.findings.clear();
  expect_kept();
}

// For one step, or for as long as a history lasts.
void NodeHistory::allow_re_enrolment() {
  steps_ += " re-enrol";
  truth_.may_enrol_until = now_ + std::chrono::seconds(pick(2) == 0 ? 30 : 3600);
  keeper_.allow_re_enrolment(*truth_.may_enrol_until);
  expect_kept();
}

// Whether the node may speak: as a stream that begins.
bool NodeHistory::greet() {
  const Status status = keeper_.greet(tpms_[key_].ak, now_);
  const bool may_enrol = truth_.may_enrol_until && now_ <= *truth_.may_enrol_until;
  if (may_enrol) truth_ = {.key = key_};
  if (key_ == truth_.key) {
    if (!status) wrong("is kept out: " + format_fault(status.error()));
    return status.has_value();
  }
  if (status) wrong("is let in with a key that it did not enrol with");
  if (!status && status.error().id != FaultId::kEnrolKeyChanged) wrong("is kept out otherwise");
  return false;
}

Nonce NodeHistory::fresh_nonce() {
  return nonce_of(++nonces_);
}

NodeHistory::Answer NodeHistory::answer(const Nonce& nonce, const LogCheckpoint& from,
                                        Mischief mischief, std::size_t logged_after_the_quote) {
  ++tpm().clock.clock_ms;
  Answer out{.quote = tpm().quote(nonce), .key = key_, .quoted = entries_.size(), .log = {}};
  for (std::size_t i = 0; i < logged_after_the_quote; ++i) {
    measure(pick(2) == 0 ? Measured::kGolden : Measured::kUnknown);
  }
  std::vector<Measured> shown = entries_;
  const bool has_news = shown.size() > from.entries;
  if (mischief == Mischief::kDropLast && has_news) shown.pop_back();
  if (mischief == Mischief::kDropAll)
    shown.resize(std::min<std::size_t>(shown.size(), from.entries));
  const ImaBuilder log = log_of(shown);
  const std::size_t first = std::min<std::size_t>(from.bytes, log.bytes().size());
  out.log.assign(log.bytes().begin() + static_cast<std::ptrdiff_t>(first), log.bytes().end());
  if (mischief == Mischief::kFlipTemplateDigest && out.log.size() > 4) out.log[4] ^= 1;
  return out;
}

Appraisal NodeHistory::appraise(const Answer& answer, const Nonce& nonce,
                                const Basis& basis) const {
  return attest({.quote = answer.quote, .ima_log = answer.log}, {.ak = basis.ak,
                                                                 .nonce = nonce,
                                                                 .from = basis.from,
                                                                 .last_clock = basis.last_clock,
                                                                 .golden = &golden_});
}

// As a session does: an answer that cannot be judged brings another challenge, from the first entry.
void NodeHistory::attest_once(Mischief mischief, Fate fate, std::size_t logged_after_the_quote) {
  steps_ += " attest" + std::to_string(static_cast<int>(mischief)) + "-" +
            std::to_string(static_cast<int>(fate)) + (logged_after_the_quote > 0 ? "-tail" : "");
  if (!greet()) return expect_kept();
  Basis basis = keeper_.basis();
  Nonce nonce = fresh_nonce();
  Answer got = answer(nonce, basis.from, mischief, logged_after_the_quote);
  Appraisal appraisal = appraise(got, nonce, basis);
  if (appraisal.ask_again()) {
    basis.from = {};
    nonce = fresh_nonce();
    got = answer(nonce, basis.from, mischief, 0);
    appraisal = appraise(got, nonce, basis);
    if (appraisal.ask_again()) return wrong("asked twice");
  }
  old_ = got;
  if (fate != Fate::kLosesTheAnswer) {
    compare(appraisal, got, mischief, basis.from);
    keeper_.apply(basis, appraisal, now_);
  }
  if (fate != Fate::kGoesOn) keeper_.crash(now_);
  expect_kept();
}

void NodeHistory::replay_an_old_answer() {
  if (!old_ || !greet()) return;
  steps_ += " replay";
  const Basis basis = keeper_.basis();
  const Appraisal appraisal = appraise(*old_, fresh_nonce(), basis);
  expect_findings(appraisal,
                  {{old_->key == key_ ? "quote.nonce_mismatch" : "quote.bad_signature", -1}});
  keeper_.apply(basis, appraisal, now_);
  expect_kept();
}

// What the truth says of this answer, and of the node after it.
void NodeHistory::compare(const Appraisal& appraisal, const Answer& answer, Mischief mischief,
                          const LogCheckpoint& from) {
  const auto delta = static_cast<std::int32_t>(
      tpm().clock.reset_count - truth_.reset_count.value_or(tpm().clock.reset_count));
  if (delta < 0) {
    expect_findings(appraisal, {{"quote.reset_backwards", -1}});
    return expect_tampering(findings_in(appraisal.faults));
  }
  const bool goes_on = truth_.reset_count && delta == 0;
  const std::size_t first = goes_on ? truth_.proven : 0;
  if (from.entries != first) wrong("was asked from " + std::to_string(from.entries));
  if (mischief != Mischief::kNone && answer.quoted > first) {
    return compare_tampered(appraisal, answer, mischief, from);
  }
  if (truth_.reset_count && delta > 0) {
    truth_.findings.clear();
    truth_.open = false;
  }
  // Judged from scratch: everything up to the quote, less what earlier answers have shown.
  Findings now;
  for (const Finding& finding : findings_of(entries_, answer.quoted)) {
    if (finding.second >= static_cast<std::int64_t>(first)) now.insert(finding);
  }
  expect_findings(appraisal, now);
  truth_.reset_count = tpm().clock.reset_count;
  truth_.proven = answer.quoted;
  truth_.open = truth_.open || !now.empty();
  truth_.findings.merge(now);
  truth_.state = truth_.open ? NodeState::kCompromised : NodeState::kTrusted;
}

void NodeHistory::compare_tampered(const Appraisal& appraisal, const Answer& answer,
                                   Mischief mischief, const LogCheckpoint& from) {
  const Findings got = findings_in(appraisal.faults);
  if (mischief == Mischief::kFlipTemplateDigest) {
    // A violation's record has no digest: any other than none makes it a record of another kind.
    if (got.size() != 1 || got.begin()->first != "ima.template_digest_mismatch") {
      wrong("a flipped digest gave" + text_of(got));
    }
  } else {
    const bool cut = answer.log.empty() && from.entries > 0;
    expect_findings(appraisal, {{cut ? "ima.log_truncated" : "ima.pcr_mismatch", -1}});
  }
  expect_tampering(got);
}

void NodeHistory::expect_tampering(const Findings& shown) {
  truth_.state = NodeState::kCompromised;
  truth_.open = true;
  truth_.findings.insert(shown.begin(), shown.end());
}

void NodeHistory::expect_findings(const Appraisal& appraisal, const Findings& want) {
  const Findings got = findings_in(appraisal.faults);
  if (got != want) wrong("found" + text_of(got) + ", and what is true is" + text_of(want));
}

void NodeHistory::expect_kept() {
  const NodeState state = keeper_.state();
  if (state != truth_.state) {
    wrong("is " + std::string(node_state_name(state)) + ", and ought to be " +
          std::string(node_state_name(truth_.state)));
  }
  const Findings findings = keeper_.open_findings();
  if (findings != truth_.findings) {
    wrong("keeps" + text_of(findings) + ", and ought to keep" + text_of(truth_.findings));
  }
}

void NodeHistory::wrong(const std::string& what) {
  if (wrong_.empty()) wrong_ = what;
}

}  // namespace assay::testing
