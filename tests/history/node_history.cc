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

Findings findings_in(const FaultList& faults) {
  Findings out;
  for (const Fault& fault : faults.listed()) {
    out.emplace(fault_name(fault.id),
                fault.entry ? static_cast<std::int64_t>(*fault.entry) : std::int64_t{-1});
  }
  return out;
}

std::string text_of(const Findings& findings) {
  std::string out;
  for (const auto& [name, entry] : findings) out += " " + name + "@" + std::to_string(entry);
  return out.empty() ? " nothing" : out;
}

}  // namespace

NodeHistory::NodeHistory(FakeTpm& tpm, std::uint64_t seed)
    : tpm_(tpm), random_(seed), ak_(tpm.ak()), golden_(good_files()) {
  tpm_.pcrs = FakeTpm::fresh_pcrs();
  tpm_.clock = {.clock_ms = 1000,
                .reset_count = static_cast<std::uint32_t>(random_()),  // a constant may be added
                .safe = true,
                .firmware_version = 42};
  boot(0);
}

std::string NodeHistory::walk() {
  const std::size_t steps = 4 + pick(kMaxSteps - 3);
  for (std::size_t i = 0; i < steps && wrong_.empty(); ++i) step();
  if (wrong_.empty()) attest_once(Mischief::kNone, Fate::kCommitted, 0);
  return wrong_.empty() ? "" : wrong_ + " after:" + steps_;
}

void NodeHistory::step() {
  now_ += std::chrono::seconds(30);
  tpm_.clock.clock_ms += 30'000;
  switch (pick(16)) {
    case 0:
    case 1:
      return measure(Measured::kGolden);
    case 2:
      return measure(Measured::kUnknown);
    case 3:
      return measure(Measured::kViolation);
    case 4:
      return measure(Measured::kBootAggregate);  // kexec: the log goes on
    case 5:
      return boot(1 + static_cast<std::uint32_t>(pick(3)));
    case 6:
      steps_ += " suspend";
      ++tpm_.clock.restart_count;
      tpm_.clock.clock_ms -= pick(2) * 10'000;
      return;
    case 7:
      return replay_an_old_answer();
    case 8:
      steps_ += " acknowledge";
      stored_.standing = acknowledge(stored_.standing, now_);
      stored_.findings.clear();
      if (want_ == NodeState::kCompromised) want_ = NodeState::kUnknown;
      want_open_ = false;
      want_findings_.clear();
      return;
    case 9:
      return attest_once(Mischief::kNone, Fate::kVerifierCrashes, 0);
    case 10:
      return attest_once(Mischief::kNone, Fate::kCommitted, 1 + pick(2));
    case 11:
      return attest_once(Mischief::kDropLast, Fate::kCommitted, 0);
    case 12:
      return attest_once(Mischief::kDropAll, Fate::kCommitted, 0);
    case 13:
      return attest_once(Mischief::kFlipTemplateDigest, Fate::kCommitted, 0);
    default:
      return attest_once(Mischief::kNone, Fate::kCommitted, 0);
  }
}

void NodeHistory::measure(Measured what) {
  steps_ += " measure" + std::to_string(static_cast<int>(what));
  entries_.push_back(what);
  tpm_.set(log_of(entries_).pcrs());
}

void NodeHistory::boot(std::uint32_t resets) {
  steps_ += " boot" + std::to_string(resets);
  tpm_.clock.reset_count += resets;
  tpm_.clock.restart_count = 0;
  tpm_.clock.clock_ms -= std::min<std::uint64_t>(tpm_.clock.clock_ms, pick(2) * 20'000);
  entries_ = {Measured::kBootAggregate};
  tpm_.pcrs = FakeTpm::fresh_pcrs();
  tpm_.set(log_of(entries_).pcrs());
}

Nonce NodeHistory::fresh_nonce() {
  return nonce_of(++nonces_);
}

NodeHistory::Answer NodeHistory::answer(const Nonce& nonce, const LogCheckpoint& from,
                                        Mischief mischief, std::size_t logged_after_the_quote) {
  ++tpm_.clock.clock_ms;
  Answer out{.quote = tpm_.quote(nonce), .quoted = entries_.size(), .log = {}};
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
                                const LogCheckpoint& from) const {
  return attest(
      {.quote = answer.quote, .ima_log = answer.log},
      {.ak = ak_, .nonce = nonce, .from = from, .last_clock = stored_.clock, .golden = &golden_});
}

Stored NodeHistory::after(const Stored& before, const Appraisal& appraisal, Instant now) {
  Stored out = before;
  out.standing = decide(before.standing, appraisal, now);
  if (appraisal.log) {
    if (appraisal.continuity == Continuity::kRebooted) out.findings.clear();
    out.checkpoint = *appraisal.next;
    out.clock = appraisal.clock;
  }
  if (is_guilty(appraisal)) out.findings.merge(findings_in(appraisal.faults));
  return out;
}

// As a session does: an answer that cannot be judged brings another challenge, from the first entry.
void NodeHistory::attest_once(Mischief mischief, Fate fate, std::size_t logged_after_the_quote) {
  steps_ += " attest" + std::to_string(static_cast<int>(mischief)) +
            (fate == Fate::kCommitted ? "" : "-lost") + (logged_after_the_quote > 0 ? "-tail" : "");
  LogCheckpoint from = stored_.checkpoint;
  Nonce nonce = fresh_nonce();
  Answer got = answer(nonce, from, mischief, logged_after_the_quote);
  Appraisal appraisal = appraise(got, nonce, from);
  if (appraisal.ask_again()) {
    from = {};
    nonce = fresh_nonce();
    got = answer(nonce, from, mischief, 0);
    appraisal = appraise(got, nonce, from);
    if (appraisal.ask_again()) return wrong("asked twice");
  }
  old_ = got;
  if (fate == Fate::kVerifierCrashes) return;
  compare(appraisal, got, mischief, from);
  stored_ = after(stored_, appraisal, now_);
  expect_state(want_);
}

void NodeHistory::replay_an_old_answer() {
  if (!old_) return;
  steps_ += " replay";
  const Appraisal appraisal = appraise(*old_, fresh_nonce(), stored_.checkpoint);
  expect_findings(appraisal, {{"quote.nonce_mismatch", -1}});
  stored_ = after(stored_, appraisal, now_);
  expect_state(want_);
}

// What the truth says of this answer, and of the node after it.
void NodeHistory::compare(const Appraisal& appraisal, const Answer& answer, Mischief mischief,
                          const LogCheckpoint& from) {
  const bool rebooted = stored_.clock && static_cast<std::int32_t>(tpm_.clock.reset_count -
                                                                   stored_.clock->reset_count) > 0;
  const bool has_news = answer.quoted > from.entries;
  if (mischief != Mischief::kNone && has_news) {
    const bool empty = answer.log.empty();
    const std::string fault = mischief == Mischief::kFlipTemplateDigest ? ""
                              : empty && from.entries > 0               ? "ima.log_truncated"
                                                                        : "ima.pcr_mismatch";
    const bool first_is_violation =
        mischief == Mischief::kFlipTemplateDigest && entries_[from.entries] == Measured::kViolation;
    if (mischief == Mischief::kFlipTemplateDigest) {
      // A violation's record has no digest: any other than none makes it a record of another kind.
      const Findings got = findings_in(appraisal.faults);
      if (got.size() != 1 || got.begin()->first != "ima.template_digest_mismatch") {
        wrong("a flipped digest gave" + text_of(got) + (first_is_violation ? " (violation)" : ""));
      }
    } else {
      expect_findings(appraisal, {{fault, -1}});
    }
    want_ = NodeState::kCompromised;
    want_open_ = true;
    want_findings_.merge(findings_in(appraisal.faults));
    return;
  }
  if (rebooted) {
    want_findings_.clear();
    want_open_ = false;
  }
  // Judged from scratch: everything up to the quote, less what earlier answers have shown.
  Findings now;
  for (const Finding& finding : findings_of(entries_, answer.quoted)) {
    if (finding.second >= static_cast<std::int64_t>(from.entries)) now.insert(finding);
  }
  expect_findings(appraisal, now);
  want_open_ = want_open_ || !now.empty();
  want_findings_.merge(now);
  want_ = want_open_ ? NodeState::kCompromised : NodeState::kTrusted;
}

void NodeHistory::expect_findings(const Appraisal& appraisal, const Findings& want) {
  const Findings got = findings_in(appraisal.faults);
  if (got != want) wrong("found" + text_of(got) + ", and what is true is" + text_of(want));
}

void NodeHistory::expect_state(NodeState want) {
  if (stored_.standing.state != want) {
    wrong("is " + std::string(node_state_name(stored_.standing.state)) + ", and ought to be " +
          std::string(node_state_name(want)));
  }
  if (stored_.findings != want_findings_) {
    wrong("keeps" + text_of(stored_.findings) + ", and ought to keep" + text_of(want_findings_));
  }
}

void NodeHistory::wrong(const std::string& what) {
  if (wrong_.empty()) wrong_ = what;
}

}  // namespace assay::testing
