// The agent's side of AgentService.Attest as a calculation: what has happened in, what to do out.
// proto/assay/v1/agent.proto says what the messages mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "core/challenge.h"
#include "core/result.h"
#include "core/tpm_quote.h"

namespace assay::agent {

inline constexpr std::size_t kMaxChunkBytes = std::size_t{256} << 10;
inline constexpr std::size_t kMaxReasonBytes = 512;

// What the agent sends.
struct Hello {
  Bytes ak_public;  // TPM2B_PUBLIC
  std::string agent_version;
};
struct QuoteMessage {
  std::uint64_t challenge_id;
  UntrustedQuote quote;
};
struct LogChunk {
  std::uint64_t challenge_id;
  Bytes bytes;  // 1 to kMaxChunkBytes
};
struct End {
  std::uint64_t challenge_id;
  std::uint64_t log_bytes;
};
struct Refusal {
  std::uint64_t challenge_id;
  std::string reason;  // at most kMaxReasonBytes, escaped
};
struct Hint {
  std::uint64_t measurements;
};
using Message = std::variant<Hello, QuoteMessage, LogChunk, End, Refusal, Hint>;

// A challenge as it came: what it asks for, or why that cannot be understood.
struct ReceivedChallenge {
  std::uint64_t id;
  Result<Challenge> asked;
};

// What the protocol wants done. The one that does it reports back.
struct Wait {};  // nothing, until something happens

struct TakeQuote {  // then quoted()
  Challenge challenge;
};

struct ReadLog {  // then read()
  std::uint64_t offset;
  std::size_t size;
};

// A message is to be sent; then written().
using Action = std::variant<Wait, TakeQuote, ReadLog, Message>;

// A quote, and how many entries the log had just before it was taken: entries from there on are
// not proven by it.
struct TakenQuote {
  std::uint64_t measurements;
  UntrustedQuote quote;
};

// One stream's conversation. There is one message under way at a time, and the next part of the
// log is wanted only when the last one is gone: memory stays bounded whatever the verifier does.
// Pure: no I/O, no clock.
class Protocol {
 public:
  explicit Protocol(Hello hello) : outbox_(std::move(hello)) {}

  // What to do now. Call it after every event, until it returns Wait.
  Action next();

  // A challenge came. The newest one counts: an older one that is still being answered is dropped,
  // since the verifier has given up on it.
  void challenged(ReceivedChallenge challenge);

  // The poll saw that the log has so many entries.
  void counted(std::uint64_t measurements) { measurements_ = measurements; }

  // The message that next() returned is on its way.
  void written() { writing_ = false; }

  // TakeQuote is done.
  void quoted(Result<TakenQuote> taken);

  // ReadLog is done: the bytes, fewer than asked for only at the log's end.
  void read(Result<Bytes> bytes);

 private:
  enum class Stage : std::uint8_t {
    kIdle,
    kQuote,  // the challenge is to be quoted
    kLog,    // the quote is sent; the log follows
    kEnd,    // the log is sent
  };

  void send(Message message) { outbox_ = std::move(message); }
  void refuse(const Fault& fault);
  ReadLog next_chunk() const;
  bool wants_hint() const;

  Stage stage_ = Stage::kIdle;
  bool writing_ = false;
  std::optional<Message> outbox_;  // to be sent next

  std::uint64_t id_ = 0;  // of the challenge; with `challenge_` from kQuote to kEnd
  std::optional<Challenge> challenge_;
  std::uint64_t log_bytes_ = 0;  // sent of this answer

  std::optional<std::uint64_t> measurements_;  // as polled
  std::optional<std::uint64_t> answered_;      // at the last quote
  bool hinted_ = false;                        // since the last challenge
};

}  // namespace assay::agent
