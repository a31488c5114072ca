// The verifier's half of the agent protocol, as a state machine without threads, clock or network.
//
// One per stream: proto/assay/v1/agent.proto says what may follow what. Anything else a peer sends
// is a fault, and the stream is to be closed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/challenge.h"
#include "core/result.h"
#include "core/tpm_quote.h"
#include "golden/spool.h"
#include "verifier/sessions/pod_claims.h"

namespace assay {

inline constexpr std::size_t kMaxChunkBytes = std::size_t{256} << 10;

// A whole answer to one challenge. Nothing in it has been checked.
struct Answer {
  UntrustedQuote quote;
  Spool ima_log{""};
  std::optional<Bytes> boot_log;        // empty: the node has none. Nothing: it was not asked for
  Bytes command_line;                   // where the boot log was asked for
  std::optional<PodClaims> pod_claims;  // within their limits; nothing: they are as they were
};

// What an answer to a challenge may hold.
struct AnswerLimits {
  std::uint64_t max_log_bytes = 0;
  bool quote_only = false;
  std::uint64_t max_boot_log_bytes = 0;   // 0: the boot log is not asked for
  std::string spool_folder = "/var/tmp";  // for a log that is too long for memory
};

// What the end of an answer says of it.
struct AnswerEnd {
  std::uint64_t log_bytes = 0;
  std::uint64_t boot_log_bytes = 0;
  Bytes command_line = {};
};
inline constexpr std::size_t kMaxCommandLineBytes = 4096;

class Conversation {
 public:
  // Where we are: which message has to come next.
  enum class State : std::uint8_t { kIdle, kAwaitingQuote, kReceivingLog, kAwaitingEnd };

  State state() const { return state_; }

  // A challenge goes out; only when idle.
  void begin(std::uint64_t challenge_id, const AnswerLimits& limits);

  // Messages of an answer. Fail with kEvidenceMalformed out of order, for another challenge than
  // the one that is out, with what was not asked for, or over a chunk's size; with kEvidenceTooLarge
  // over a log's or pod claims'; and as Spool does.
  // After a fault the conversation is over.
  Status on_quote(std::uint64_t challenge_id, UntrustedQuote quote);
  Status on_boot_log_chunk(std::uint64_t challenge_id, ByteView data);
  Status on_log_chunk(std::uint64_t challenge_id, ByteView data);
  Status on_pod_claims(std::uint64_t challenge_id, PodClaims claims);
  Result<Answer> on_end(std::uint64_t challenge_id, AnswerEnd end);
  Status on_refusal(std::uint64_t challenge_id);

 private:
  Status expect(State wanted, std::uint64_t challenge_id) const;

  State state_ = State::kIdle;
  std::uint64_t challenge_id_ = 0;
  AnswerLimits limits_;
  Answer answer_;
};

}  // namespace assay
