// A node, its verifier, and what happens to both, step by step.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/verdict.h"
#include "tests/history/keeper.h"
#include "tests/history/reference.h"
#include "tests/support/fake_tpm.h"

namespace assay::testing {

// A TPM before and after it was cleared: the attestation keys are two.
struct Tpm {
  FakeTpm key;
  AkPublic ak = key.ak();
};
using Tpms = std::array<Tpm, 2>;

// One random history. The verifier's side is attest() and what the keeper makes of its appraisals; the
// truth is what was measured, what the TPM counts, and which answers arrived. Every answer is compared
// with the truth.
class NodeHistory {
 public:
  // `tpms` are used by one history at a time: to make a key is dear. `keeper` knows no node yet.
  NodeHistory(Tpms& tpms, Keeper& keeper, std::uint64_t seed);

  // Walks it. Gives what went wrong, with the steps that led there; empty: nothing.
  std::string walk();

 private:
  // How an answer goes wrong between the kernel and the verifier.
  enum class Mischief : std::uint8_t { kNone, kDropLast, kDropAll, kFlipTemplateDigest };
  // What becomes of the verifier: it goes on, or is gone before or after it has committed.
  enum class Fate : std::uint8_t { kGoesOn, kLosesTheAnswer, kCrashesAfter };

  struct Answer {
    UntrustedQuote quote;
    std::size_t key = 0;     // of the quote
    std::size_t quoted = 0;  // entries that the quote covers
    Bytes log;
  };

  // What the reference knows of the node: the past answers' truth, and nothing that a keeper kept.
  struct Truth {
    std::size_t key = 0;                            // enrolled
    std::optional<Instant> may_enrol_until = {};    // with another
    std::optional<std::uint32_t> reset_count = {};  // of the last proven answer
    std::size_t proven = 0;                         // entries of that boot
    NodeState state = NodeState::kUnknown;
    bool open = false;
    Findings findings = {};  // of this boot, since an operator last acknowledged
  };

  void step();
  void step_of_the_node(std::size_t which);
  void measure(Measured what);
  void boot(std::uint32_t resets);
  void clear();
  void roll_back();
  void acknowledge();
  void allow_re_enrolment();
  void attest_once(Mischief mischief, Fate fate, std::size_t logged_after_the_quote);
  void replay_an_old_answer();
  bool greet();

  FakeTpm& tpm() { return tpms_[key_].key; }
  Nonce fresh_nonce();
  Answer answer(const Nonce& nonce, const LogCheckpoint& from, Mischief mischief,
                std::size_t logged_after_the_quote);
  Appraisal appraise(const Answer& answer, const Nonce& nonce, const Basis& basis) const;
  void compare(const Appraisal& appraisal, const Answer& answer, Mischief mischief,
               const LogCheckpoint& from);
  void compare_tampered(const Appraisal& appraisal, const Answer& answer, Mischief mischief,
                        const LogCheckpoint& from);
  void expect_tampering(const Findings& shown);
  void expect_findings(const Appraisal& appraisal, const Findings& want);
  void expect_kept();
  void wrong(const std::string& what);

  std::size_t pick(std::size_t count) { return random_() % count; }

  Tpms& tpms_;
  Keeper& keeper_;
  std::mt19937_64 random_;
  GoldenSnapshot golden_;

  std::size_t key_ = 0;            // which of `tpms_` the node has now
  std::vector<Measured> entries_;  // of this boot
  Instant now_{std::chrono::hours(1000)};
  std::uint8_t nonces_ = 0;
  std::optional<Answer> old_;  // an answer of the past
  Truth truth_;

  std::string steps_;
  std::string wrong_;
};

}  // namespace assay::testing
