// The agent's side of AgentService.Attest as a calculation: what has happened in, what to do out.
// proto/assay/v1/agent.proto says what the messages mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/boot_evidence.h"
#include "agent/pod_claims.h"
#include "agent/tpm/tpm.h"
#include "core/challenge.h"
#include "core/ima_log.h"
#include "core/result.h"
#include "core/tpm_quote.h"

namespace assay::agent {

inline constexpr std::size_t kMaxChunkBytes = std::size_t{256} << 10;
inline constexpr std::size_t kMaxReasonBytes = 512;

// What the agent sends.
struct Hello {
  Bytes ak_public;  // TPM2B_PUBLIC
  std::string agent_version;
  std::vector<HashAlg> banks = {};  // PCR banks that the TPM keeps
  ImaLogForm log_form = {};
};
struct Identity {
  std::string node_name;
  TpmIdentity tpm;
  std::string join_token;  // empty: none
};
struct OpenedCredential {
  Bytes secret;
};
struct QuoteMessage {
  std::uint64_t challenge_id;
  UntrustedQuote quote;
};
struct BootLogChunk {
  std::uint64_t challenge_id;
  Bytes bytes;  // 1 to kMaxChunkBytes
};
struct LogChunk {
  std::uint64_t challenge_id;
  Bytes bytes;  // 1 to kMaxChunkBytes
};
struct PodClaimsMessage {
  std::uint64_t challenge_id;
  PodClaims claims;
};
struct End {
  std::uint64_t challenge_id;
  std::uint64_t log_bytes;
  std::uint64_t boot_log_bytes = 0;
  Bytes command_line = {};  // where the boot log was asked for
};
struct Refusal {
  std::uint64_t challenge_id;  // 0: of what was asked outside a challenge
  std::string reason;          // at most kMaxReasonBytes, escaped
};
struct Hint {
  std::uint64_t measurements;
};
using Message = std::variant<Hello, Identity, OpenedCredential, QuoteMessage, BootLogChunk,
                             LogChunk, PodClaimsMessage, End, Refusal, Hint>;

// A challenge as it came: what it asks for, or why that cannot be understood.
struct ReceivedChallenge {
  std::uint64_t id;
  Result<Challenge> asked;
};

// What the protocol wants done. The one that does it reports back.
struct Wait {};  // nothing, until something happens

struct ReadIdentity {};  // then identified()

struct OpenCredential {  // then opened()
  Credential credential;
};

struct TakeQuote {  // then quoted()
  Challenge challenge;
};

struct ReadBoot {  // then boot_read()
  std::uint64_t max_log_bytes;
};

struct ReadLog {  // then read()
  std::uint64_t offset;
  std::size_t size;
};

struct ReadPodClaims {};  // then pod_claims_read()

// A message is to be sent; then written().
using Action = std::variant<Wait, ReadIdentity, OpenCredential, TakeQuote, ReadBoot, ReadLog,
                            ReadPodClaims, Message>;

// Whether an agent says what the kubelet gave its pods.
enum class PodClaiming : std::uint8_t { kNothing, kUserIds };

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
  explicit Protocol(Hello hello, PodClaiming claiming = PodClaiming::kNothing)
      : outbox_(std::move(hello)), claiming_(claiming) {}

  // What to do now. Call it after every event, until it returns Wait.
  Action next();

  // The verifier asks who we are, and then sends a credential to open: what is under way is dropped,
  // since the verifier does not wait for it.
  void identify();
  void received(Credential credential);

  // A challenge came. The newest one counts: an older one that is still being answered is dropped,
  // since the verifier has given up on it.
  void challenged(ReceivedChallenge challenge);

  // The poll saw that the log has so many entries.
  void counted(std::uint64_t measurements) { measurements_ = measurements; }

  // The message that next() returned is on its way.
  void written() { writing_ = false; }

  // ReadIdentity, OpenCredential, TakeQuote and ReadBoot are done.
  void identified(Result<Identity> identity);
  void opened(Result<Bytes> secret);
  void quoted(Result<TakenQuote> taken);
  void boot_read(Result<BootEvidence> boot);

  // ReadLog is done: the bytes, fewer than asked for only at the log's end.
  void read(Result<Bytes> bytes);

  // ReadPodClaims is done. What was sent last on this stream is not sent again; nothing: they cannot be read.
  void pod_claims_read(std::optional<PodClaims> claims);

 private:
  enum class Stage : std::uint8_t {
    kIdle,
    kIdentity,    // the TPM is to be asked who it is
    kCredential,  // the TPM is to open a credential
    kQuote,       // the challenge is to be quoted
    kBoot,        // the quote is sent; the boot is to be read
    kBootLog,     // and its log follows
    kLog,         // then the measurement log
    kClaims,      // pods' user ids are to be read, after it: so they are no older
    kEnd,         // all is sent
  };

  void begin(Stage stage, std::uint64_t id);
  void send(Message message) { outbox_ = std::move(message); }
  void send_boot_log();
  void refuse(const Fault& fault);
  ReadLog next_chunk() const;
  bool wants_hint() const;

  Stage stage_ = Stage::kIdle;
  bool writing_ = false;
  std::optional<Message> outbox_;  // to be sent next

  PodClaiming claiming_;
  std::optional<PodClaims> claimed_;  // the last that were sent

  std::optional<Credential> credential_;  // in kCredential
  BootEvidence boot_;                     // from kBootLog to kEnd; its log until that is sent
  std::uint64_t boot_log_bytes_ = 0;      // sent of this answer
  std::uint64_t id_ = 0;                  // of the challenge; with `challenge_` from kQuote to kEnd
  std::optional<Challenge> challenge_;
  std::uint64_t log_bytes_ = 0;  // sent of this answer

  std::optional<std::uint64_t> measurements_;  // as polled
  std::optional<std::uint64_t> answered_;      // at the last quote
  bool hinted_ = false;                        // since the last challenge
};

}  // namespace assay::agent
