// Every agent that is connected, and the attestations that go on with them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/attest.h"
#include "verifier/clock.h"
#include "verifier/enrolment/enrolment.h"
#include "verifier/golden_index.h"
#include "verifier/ledger.h"
#include "verifier/sessions/conversation.h"
#include "verifier/signature_cache.h"
#include "verifier/worker_pool.h"

namespace assay {

enum class StreamId : std::uint64_t {};

// What an agent is told about an attempt once its consequences are on disk.
struct AttemptOutcome {
  std::uint64_t challenge_id = 0;
  NodeState state = NodeState::kUnknown;
  std::uint64_t faults_total = 0;
  std::string first_fault;
};

// The way back to one agent. Implemented by the stream; calls only queue, and never block.
class AgentLink {
 public:
  virtual ~AgentLink() = default;
  virtual void send(std::uint64_t challenge_id, const Challenge& challenge) = 0;
  virtual void identify() = 0;
  virtual void send(const Credential& credential) = 0;
  virtual void send(const AttemptOutcome& outcome) = 0;
  // Ends the stream; `reason` tells the agent why.
  virtual void close(const Fault& reason) = 0;
};

// Sees each attempt: metrics, log. Called from any thread; must not block.
class AttemptSink {
 public:
  virtual ~AttemptSink() = default;
  // An answer was judged, which took so long.
  virtual void judged(const Appraisal& appraisal, std::chrono::nanoseconds took) = 0;
  // Something that a peer sent was refused.
  virtual void rejected(const Fault& reason) = 0;
  // A challenge was not answered in time.
  virtual void unanswered(const Fault& reason) = 0;
  // What an attempt showed could not be kept: the next one will show it again.
  virtual void not_stored(const Fault& reason) = 0;
};

struct SessionSettings {
  std::chrono::milliseconds interval{30'000};
  std::chrono::milliseconds answer_timeout{30'000};  // from challenge to the end of its answer
  std::chrono::milliseconds hello_timeout{10'000};
  std::chrono::milliseconds hint_gap{250};  // between a challenge and one that a hint asks for
  std::uint64_t max_log_bytes = std::uint64_t{256} << 20;  // of one answer
  // Of all answers under way. Of each the first Spool::kMaxInMemory bytes are in memory, and all of
  // a longer one on disk.
  std::uint64_t max_buffered_bytes = std::uint64_t{1} << 30;
  std::string spool_folder = "/var/tmp";
  std::size_t max_streams = 4096;
};

// The firmware's log in one answer.
inline constexpr std::uint64_t kMaxBootLogBytes = std::uint64_t{4} << 20;

// Challenges every connected node on time, judges what comes back, and gives it to the ledger.
// A stream that breaks the protocol, answers too late or sends too much is closed with a fault, at
// nobody else's cost.
//
// A stream speaks for nobody until it has proven which node it is: with a quote over a nonce of its
// own under the node's attestation key, or by enrolling. Any number may claim a node; one that proves
// it ends the one that proved it before. Safe from any thread.
class Sessions {
 public:
  struct World {
    Ledger& ledger;
    const Enrolment& enrolment;
    const Policy& policy;
    const GoldenIndex& golden;
    const Clock& clock;
    AttemptSink& attempts;
    EntropySource entropy;
    // What the control plane says now; null: nobody asks it. Empty: likewise.
    std::function<std::shared_ptr<const ClusterSnapshot>()> cluster = {};
  };

  Sessions(World world, SessionSettings settings);
  ~Sessions();  // ends the judging that goes on; every stream has to be closed() before

  // A stream's life. `link` is borrowed until closed().
  // open() fails with kUnavailable when there are too many streams.
  Result<StreamId> open(AgentLink& link);
  void closed(StreamId stream);

  // What a stream received. A fault says that the stream has to be closed with it, and told to
  // refused().
  // on_hello() fails with the faults of parse_ak_public(), and kEvidenceMalformed for a second one.
  // on_identity() and on_opened_credential() fail as Enrolment does, and on_opened_credential() with
  // kEnrolCredentialUsed for a second one.
  // A quote that proves nothing ends the stream with the fault of verify_quote().
  Status on_hello(StreamId stream, ByteView ak_public, std::vector<HashAlg> banks,
                  ImaLogForm log_form = {});
  Status on_identity(StreamId stream, const Identity& identity);
  Status on_opened_credential(StreamId stream, ByteView secret);
  Status on_quote(StreamId stream, std::uint64_t challenge_id, UntrustedQuote quote);
  Status on_boot_log_chunk(StreamId stream, std::uint64_t challenge_id, ByteView data);
  Status on_log_chunk(StreamId stream, std::uint64_t challenge_id, ByteView data);
  Status on_pod_claims(StreamId stream, std::uint64_t challenge_id, PodClaims claims);
  Status on_end(StreamId stream, std::uint64_t challenge_id, AnswerEnd end);
  Status on_refusal(StreamId stream, std::uint64_t challenge_id, std::string reason);
  Status on_hint(StreamId stream);

  // What a stream received broke the protocol: counted.
  void refused(const Fault& reason);

  // Sends the challenges that are due, ends streams that are late, and lets verdicts expire. Gives
  // the time at which it wants to be called again.
  Instant tick();

  // Called from any thread when tick() ought to be called sooner than it said.
  void set_wake(std::function<void()> wake);

  // Challenges a node at once; `done` is called once with the node after its next attempt, or with
  // a fault: kNotFound, kUnavailable when it is not connected or did not answer by `deadline`.
  void attest_now(std::string_view node, Instant deadline,
                  std::function<void(Result<NodeRecord>)> done);

  // Fails every attest_now() that waits: nobody will answer any more.
  void end_waiting();

  // Whether a stream has proven to be this node's.
  bool connected(NodeId node) const;

  // Ends the streams of a node, which has to prove itself again.
  void disconnect(NodeId node, const Fault& reason);

 private:
  enum class Purpose : std::uint8_t { kProof, kEvidence };

  struct Pending {  // a challenge that is out
    std::uint64_t id;
    Purpose purpose;
    Challenge challenge;
    Basis basis;
    ImaLogForm log_form;
    LogStart log_start;
    Instant sent_at;
    // Of its answer, while that is judged, whatever becomes of the stream:
    std::uint64_t buffered_bytes = 0;
    std::shared_ptr<const UidRanges> ranges = {};  // what the stream had claimed before it
  };

  // What a stream has to do next, in this order; kIdentity to kActivating are for keys that nobody
  // knows.
  enum class Stage : std::uint8_t {
    kHello,
    kIdentity,
    kExamining,   // we look at its identity
    kCredential,  // it opens a credential
    kActivating,  // we look at what was in it
    kProof,       // it signs a nonce
    kReady,
  };

  struct Session {
    AgentLink* link;
    Instant stage_since;
    Stage stage = Stage::kHello;
    std::vector<HashAlg> banks = {};          // that its TPM keeps, as it says
    ImaLogForm log_form = {};                 // likewise
    std::optional<AkPublic> ak = {};          // from hello on, until it is a node
    std::optional<Candidate> candidate = {};  // in kCredential
    std::optional<NodeId> node = {};          // in kProof as it claims, in kReady as it is
    bool judging = false;                     // an answer is with the workers
    bool from_start = false;                  // the node has rebooted: ask for the whole log
    bool boot_again = false;  // its boot PCRs or kernel have changed: ask for the boot
    bool whole_log = false;   // its log goes on nowhere: ask for all it still has
    std::shared_ptr<const UidRanges> ranges =
        {};  // that pods have, as it claims; null: nothing yet
    Conversation conversation = {};
    std::optional<Pending> pending = {};
    std::optional<Instant> last_challenge = {};
    Instant next_challenge{};
    std::uint64_t buffered_bytes = 0;
  };
  struct Waiter {
    NodeId node;
    Instant since;  // an attempt counts that was challenged at or after this
    Instant deadline;
    std::function<void(Result<NodeRecord>)> done;
  };
  struct State {
    std::map<StreamId, Session> sessions;
    std::vector<Waiter> waiters;
    std::uint64_t next_id = 1;
    std::uint64_t buffered_bytes = 0;
  };

  // The session in this stage, or a fault.
  static Result<Session*> in_stage(State& state, StreamId stream, Stage stage);
  // A session that answers challenges, or a fault.
  static Result<Session*> answering(State& state, StreamId stream);
  static void enter(Session& session, Stage stage, Instant now);
  static void release(State& state, Session& session);
  static std::vector<Waiter> take_waiters(State& state, const Pending& pending);

  // Takes a part of an answer that has so many bytes.
  Status take_part(StreamId stream, std::size_t bytes,
                   const std::function<Status(Conversation&)>& give);
  Nonce fresh_nonce() const;
  std::optional<HashAlg> choose_bank(const Session& session, const NodeClass& node_class) const;
  static bool wants_whole_log(const Pending& pending, const Appraisal& appraisal);
  void ask(State& state, Session& session, Purpose purpose, Instant now);
  void ask_for_proof(State& state, Session& session, Instant now);
  void become(State& state, StreamId stream, NodeId node, Instant now);
  Instant next_event(const State& state, Instant now) const;
  std::vector<Waiter> end_late(State& state, Instant now);
  void end_slow_greeting(Session& session, Instant now) const;

  void prove(StreamId stream, const Pending& pending, const Answer& answer);
  void judge(StreamId stream, const Pending& pending, const Answer& answer);
  // What the stream claims of ranges, with this answer.
  std::shared_ptr<const UidRanges> learn_ranges(StreamId stream, const Pending& pending,
                                                const Answer& answer);
  // An evidence is on disk that was judged by `ranges`.
  void settle_ranges(StreamId stream, const std::shared_ptr<const UidRanges>& ranges);
  void keep_ranges(StreamId stream, std::shared_ptr<const UidRanges> ranges);
  // What was accepted, as the store names it, with the names of pods.
  GoldenUse use_of(const Appraisal& appraisal, const GoldenSnapshot& golden,
                   const PodExpectation& pods) const;
  // The node after `appraisal` is on disk; nothing when it was overtaken or could not be stored.
  std::optional<NodeRecord> record(const Pending& pending, const Appraisal& appraisal,
                                   const GoldenUse& use);
  std::optional<NodeRecord> reject(NodeId node, const Fault& fault);
  void finish(StreamId stream, const Pending& pending, const Appraisal& appraisal,
              const std::optional<NodeRecord>& node);
  void wake() const;

  World world_;
  SessionSettings settings_;
  Guarded<State> state_;
  Guarded<std::function<void()>> wake_;
  SignatureCache signatures_;
  WorkerPool workers_;
};

}  // namespace assay
