// A node, its verifier, and what happens to both, step by step.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/verdict.h"
#include "tests/history/reference.h"
#include "tests/support/fake_tpm.h"

namespace assay::testing {

// What the verifier has on disk of a node.
struct Stored {
  LogCheckpoint checkpoint;
  std::optional<TpmClock> clock;
  Standing standing;
  Findings findings;  // open, of this boot
};

// One random history. The verifier's side is attest() and decide(), with what Stored keeps between two
// answers; the truth is the list of what was measured. Every answer is compared with the truth.
class NodeHistory {
 public:
  // `tpm` is used by one history at a time: to make a key is dear.
  NodeHistory(FakeTpm& tpm, std::uint64_t seed);

  // Walks it. Gives what went wrong, with the steps that led there; empty: nothing.
  std::string walk();

 private:
  // How an answer goes wrong between the kernel and the verifier.
  enum class Mischief : std::uint8_t { kNone, kDropLast, kDropAll, kFlipTemplateDigest };
  enum class Fate : std::uint8_t { kCommitted, kVerifierCrashes };

  struct Answer {
    UntrustedQuote quote;
    std::size_t quoted = 0;  // entries that the quote covers
    Bytes log;
  };

  void step();
  void measure(Measured what);
  void boot(std::uint32_t resets);
  void attest_once(Mischief mischief, Fate fate, std::size_t logged_after_the_quote);
  void replay_an_old_answer();

  Nonce fresh_nonce();
  Answer answer(const Nonce& nonce, const LogCheckpoint& from, Mischief mischief,
                std::size_t logged_after_the_quote);
  Appraisal appraise(const Answer& answer, const Nonce& nonce, const LogCheckpoint& from) const;
  // Takes over what the answer showed, as the ledger does.
  static Stored after(const Stored& before, const Appraisal& appraisal, Instant now);
  void compare(const Appraisal& appraisal, const Answer& answer, Mischief mischief,
               const LogCheckpoint& from);
  void expect_findings(const Appraisal& appraisal, const Findings& want);
  void expect_state(NodeState want);
  void wrong(const std::string& what);

  std::size_t pick(std::size_t count) { return random_() % count; }

  FakeTpm& tpm_;
  std::mt19937_64 random_;
  AkPublic ak_;
  GoldenSnapshot golden_;

  std::vector<Measured> entries_;  // the truth: of this boot
  Stored stored_;
  Instant now_{std::chrono::hours(1000)};
  std::uint8_t nonces_ = 0;
  std::optional<Answer> old_;  // an answer of the past

  // What the reference makes of the node: nothing but the past answers' truth goes in.
  NodeState want_ = NodeState::kUnknown;
  bool want_open_ = false;
  Findings want_findings_;  // of this boot, since an operator last acknowledged

  std::string steps_;
  std::string wrong_;
};

}  // namespace assay::testing
