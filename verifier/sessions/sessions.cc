#include "verifier/sessions/sessions.h"

#include <algorithm>
#include <utility>

namespace assay {
namespace {

constexpr std::size_t kWorkers = 2;
constexpr std::size_t kMaxWaitingAnswers = 4096;
constexpr std::size_t kMaxWaiters = 1024;
constexpr std::chrono::milliseconds kIdleTick{1000};  // no event is further away than this

}  // namespace

Sessions::Sessions(World world, SessionSettings settings)
    : world_(std::move(world)), settings_(settings), workers_(kWorkers, kMaxWaitingAnswers) {}

Sessions::~Sessions() = default;

void Sessions::set_wake(std::function<void()> wake) {
  wake_.with([&](auto& current) { current = std::move(wake); });
}

void Sessions::wake() const {
  const auto call = wake_.with([](const auto& current) { return current; });
  if (call) call();
}

Result<StreamId> Sessions::open(AgentLink& link) {
  const Instant now = world_.clock.now();
  return state_.with([&](State& state) -> Result<StreamId> {
    if (state.sessions.size() >= settings_.max_streams) {
      return fail(FaultId::kUnavailable, "too many agents are connected; see limits.streams");
    }
    const StreamId id{state.next_id++};
    Session session{.link = &link, .stage_since = now};
    state.sessions.emplace(id, std::move(session));
    return id;
  });
}

void Sessions::closed(StreamId stream) {
  state_.with([&](State& state) {
    const auto found = state.sessions.find(stream);
    if (found == state.sessions.end()) return;
    release(state, found->second);
    state.sessions.erase(found);
  });
}

// Gives back what an answer under way has taken of the common budget.
void Sessions::release(State& state, Session& session) {
  state.buffered_bytes -= session.buffered_bytes;
  session.buffered_bytes = 0;
}

void Sessions::refused(const Fault& reason) {
  world_.attempts.rejected(reason);
}

Result<Sessions::Session*> Sessions::in_stage(State& state, StreamId stream, Stage stage) {
  const auto found = state.sessions.find(stream);
  if (found == state.sessions.end() || found->second.stage != stage) {
    return fail(FaultId::kEvidenceMalformed, "a message out of order");
  }
  return &found->second;
}

Result<Sessions::Session*> Sessions::answering(State& state, StreamId stream) {
  const auto found = state.sessions.find(stream);
  if (found == state.sessions.end() || found->second.stage < Stage::kProof) {
    return fail(FaultId::kEvidenceMalformed, "a message before the stream is a node's");
  }
  return &found->second;
}

void Sessions::enter(Session& session, Stage stage, Instant now) {
  session.stage = stage;
  session.stage_since = now;
}

Instant Sessions::tick() {
  const Instant now = world_.clock.now();
  std::vector<Waiter> late;
  const Instant next = state_.with([&](State& state) {
    late = end_late(state, now);
    for (auto& [id, session] : state.sessions) {
      const bool idle = session.stage == Stage::kReady && !session.pending && !session.judging &&
                        session.conversation.state() == Conversation::State::kIdle;
      if (idle && session.next_challenge <= now) ask(state, session, Purpose::kEvidence, now);
    }
    return next_event(state, now);
  });
  for (const Waiter& waiter : late) {
    waiter.done(fail(FaultId::kUnavailable, "the node did not answer in time"));
  }
  // A store that refuses shows in readiness; the verdicts have expired in memory all the same.
  (void)world_.ledger.expire_all(now);
  return next;
}

Instant Sessions::next_event(const State& state, Instant now) const {
  Instant next = now + kIdleTick;
  for (const auto& [id, session] : state.sessions) {
    if (session.pending) {
      next = std::min(next, session.pending->sent_at + settings_.answer_timeout);
    } else if (session.stage == Stage::kReady && !session.judging) {
      next = std::min(next, session.next_challenge);
    }
  }
  return next;
}

// Closes streams that did not say who they are or did not answer in time; gives the waiters whose
// time is up.
std::vector<Sessions::Waiter> Sessions::end_late(State& state, Instant now) {
  for (auto& [id, session] : state.sessions) {
    end_slow_greeting(session, now);
    if (session.pending && now - session.pending->sent_at > settings_.answer_timeout) {
      const Fault fault{.id = FaultId::kEvidenceNone, .detail = "no answer to a challenge"};
      session.pending.reset();
      // Counted first: who hears of the end may look at the numbers.
      session.stage == Stage::kReady ? world_.attempts.unanswered(fault)
                                     : world_.attempts.rejected(fault);
      session.link->close(fault);
    }
  }
  std::vector<Waiter> late;
  const auto in_time = std::ranges::partition(
      state.waiters, [&](const Waiter& waiter) { return waiter.deadline > now; });
  std::ranges::move(in_time, std::back_inserter(late));
  state.waiters.erase(in_time.begin(), in_time.end());
  return late;
}

void Sessions::end_slow_greeting(Session& session, Instant now) const {
  const auto waited = now - session.stage_since;
  if (session.stage == Stage::kHello && waited > settings_.hello_timeout) {
    session.link->close({.id = FaultId::kEvidenceNone, .detail = "no hello"});
  }
  if (session.stage == Stage::kIdentity && waited > kCredentialLifetime) {
    session.link->close({.id = FaultId::kEvidenceNone, .detail = "no identity"});
  }
  if (session.stage == Stage::kCredential && waited > kCredentialLifetime) {
    session.link->close({.id = FaultId::kEnrolCredentialExpired, .detail = "no answer"});
  }
}

void Sessions::attest_now(std::string_view node, Instant deadline,
                          std::function<void(Result<NodeRecord>)> done) {
  const auto known = world_.ledger.node(node);
  if (!known) return done(tl::unexpected<Fault>(known.error()));
  const Instant now = world_.clock.now();
  const bool waiting = state_.with([&](State& state) {
    bool asked = false;
    if (state.waiters.size() >= kMaxWaiters) return false;
    for (auto& [id, session] : state.sessions) {
      if (session.node != known->id || session.stage != Stage::kReady) continue;
      session.next_challenge = now;
      asked = true;
    }
    if (asked) state.waiters.push_back({known->id, now, deadline, std::move(done)});
    return asked;
  });
  if (!waiting) return done(fail(FaultId::kUnavailable, "the node's agent is not connected"));
  wake();
}

void Sessions::end_waiting() {
  const auto waiters = state_.with([](State& state) { return std::exchange(state.waiters, {}); });
  for (const Waiter& waiter : waiters) {
    waiter.done(fail(FaultId::kUnavailable, "the verifier is ending"));
  }
}

bool Sessions::connected(NodeId node) const {
  return state_.with([&](const State& state) {
    return std::ranges::any_of(state.sessions, [&](const auto& item) {
      return item.second.node == node && item.second.stage == Stage::kReady;
    });
  });
}

std::vector<Sessions::Waiter> Sessions::take_waiters(State& state, const Pending& pending) {
  std::vector<Waiter> out;
  const auto rest = std::ranges::partition(state.waiters, [&](const Waiter& waiter) {
    return waiter.node != pending.basis.node || waiter.since > pending.sent_at;
  });
  std::ranges::move(rest, std::back_inserter(out));
  state.waiters.erase(rest.begin(), rest.end());
  return out;
}

}  // namespace assay
