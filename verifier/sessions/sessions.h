// Every agent that is connected, and the attestations that go on with them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/attest.h"
#include "verifier/clock.h"
#include "verifier/golden_index.h"
#include "verifier/ledger.h"
#include "verifier/sessions/conversation.h"
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
  HashAlg bank = HashAlg::kSha256;
  QuotePolicy policy = {};
  std::uint64_t max_log_bytes = std::uint64_t{64} << 20;        // of one answer
  std::uint64_t max_buffered_bytes = std::uint64_t{512} << 20;  // of all answers under way
  std::size_t max_streams = 4096;
  std::size_t max_streams_per_node = 4;  // until one has proven which it is
};

// Random bytes for a nonce, from the operating system's generator. Aborts when there are none.
using NonceSource = std::function<Nonce()>;
Nonce fresh_nonce();

// Challenges every connected node on time, judges what comes back, and gives it to the ledger.
// A stream that breaks the protocol, answers too late or sends too much is closed with a fault, at
// nobody else's cost. Several streams may claim one node; the first that answers with an authentic
// quote ends the others. Safe from any thread.
class Sessions {
 public:
  struct World {
    Ledger& ledger;
    const GoldenIndex& golden;
    const Clock& clock;
    AttemptSink& attempts;
    NonceSource nonces;
  };

  Sessions(World world, SessionSettings settings);
  ~Sessions();  // ends the judging that goes on; every stream has to be closed() before

  // A stream's life. `link` is borrowed until closed().
  // open() fails with kUnavailable when there are too many streams.
  Result<StreamId> open(AgentLink& link);
  void closed(StreamId stream);

  // What a stream received. A fault says that the stream has to be closed with it, and told to
  // refused().
  // on_hello() fails with the faults of parse_ak_public(), kAkUnknown, kEvidenceMalformed for a
  // second one, and kUnavailable when too many streams claim this node.
  Status on_hello(StreamId stream, ByteView ak_public);
  Status on_quote(StreamId stream, std::uint64_t challenge_id, UntrustedQuote quote);
  Status on_log_chunk(StreamId stream, std::uint64_t challenge_id, ByteView data);
  Status on_end(StreamId stream, std::uint64_t challenge_id, std::uint64_t log_bytes);
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

 private:
  struct Pending {  // a challenge that is out
    std::uint64_t id;
    Nonce nonce;
    Basis basis;
    Instant sent_at;
    std::uint64_t log_bytes =
        0;  // of its answer, while it is judged, whatever becomes of the stream
  };
  struct Session {
    AgentLink* link;
    Instant opened_at;
    std::optional<NodeId> node = {};
    bool proven = false;      // has answered with an authentic quote
    bool judging = false;     // an answer is with the workers
    bool from_start = false;  // the node has rebooted: ask for the whole log
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

  // A session that has said hello, or a fault.
  static Result<Session*> greeted(State& state, StreamId stream);
  static void release(State& state, Session& session);
  static std::vector<Waiter> take_waiters(State& state, const Pending& pending);

  void challenge(State& state, Session& session, Instant now);
  Instant next_event(const State& state, Instant now) const;
  std::vector<Waiter> end_late(State& state, Instant now);

  void judge(StreamId stream, const Pending& pending, const Answer& answer);
  // The node after `appraisal` is on disk; nothing when it was overtaken or could not be stored.
  std::optional<NodeRecord> record(const Pending& pending, const Appraisal& appraisal);
  std::optional<NodeRecord> reject(NodeId node, const Fault& fault);
  void finish(StreamId stream, const Pending& pending, const Appraisal& appraisal,
              const std::optional<NodeRecord>& node);
  void wake() const;

  World world_;
  SessionSettings settings_;
  Guarded<State> state_;
  Guarded<std::function<void()>> wake_;
  WorkerPool workers_;
};

}  // namespace assay
