#include "verifier/sessions/sessions.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

constexpr std::size_t kWorkers = 2;
constexpr std::size_t kMaxWaitingAnswers = 4096;
constexpr std::size_t kMaxWaiters = 1024;
constexpr std::size_t kMaxReasonBytes = 512;
constexpr std::chrono::milliseconds kIdleTick{1000};  // no event is further away than this

AttemptOutcome outcome_of(std::uint64_t challenge_id, const NodeRecord& node) {
  return {.challenge_id = challenge_id,
          .state = node.standing.state,
          .faults_total = node.faults_total,
          .first_fault = node.faults.empty() ? "" : std::string(fault_name(node.faults[0].id))};
}

}  // namespace

Nonce fresh_nonce() {
  std::array<std::uint8_t, kNonceSize> bytes{};
  // getrandom() gives up to 256 bytes at once, or fails before the kernel's generator is ready.
  ASSAY_CHECK(getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return *Nonce::from(bytes);
}

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
    Session session{.link = &link, .opened_at = now};
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

Result<Sessions::Session*> Sessions::greeted(State& state, StreamId stream) {
  const auto found = state.sessions.find(stream);
  if (found == state.sessions.end() || !found->second.node) {
    return fail(FaultId::kEvidenceMalformed, "a message before hello");
  }
  return &found->second;
}

void Sessions::refused(const Fault& reason) {
  world_.attempts.rejected(reason);
}

Status Sessions::on_hello(StreamId stream, ByteView ak_public) {
  ASSAY_TRY(const AkPublic ak, parse_ak_public(ak_public));
  ASSAY_TRY(const NodeId known, world_.ledger.find(ak.fingerprint()));
  const Instant now = world_.clock.now();
  ASSAY_OK(state_.with([&](State& state) -> Status {
    const auto claims = std::ranges::count_if(
        state.sessions, [&](const auto& item) { return item.second.node == known; });
    if (static_cast<std::size_t>(claims) >= settings_.max_streams_per_node) {
      return fail(FaultId::kUnavailable, "too many streams claim this node");
    }
    const auto found = state.sessions.find(stream);
    if (found == state.sessions.end() || found->second.node) {
      return fail(FaultId::kEvidenceMalformed, "a second hello");
    }
    found->second.node = known;
    found->second.next_challenge = now;
    return {};
  }));
  wake();
  return {};
}

Status Sessions::on_quote(StreamId stream, std::uint64_t challenge_id, UntrustedQuote quote) {
  return state_.with([&](State& state) -> Status {
    ASSAY_TRY(Session * session, greeted(state, stream));
    return session->conversation.on_quote(challenge_id, std::move(quote));
  });
}

Status Sessions::on_log_chunk(StreamId stream, std::uint64_t challenge_id, ByteView data) {
  return state_.with([&](State& state) -> Status {
    ASSAY_TRY(Session * session, greeted(state, stream));
    if (data.size() > settings_.max_buffered_bytes - state.buffered_bytes) {
      return fail(FaultId::kUnavailable, "the verifier holds too many answers; try again");
    }
    ASSAY_OK(session->conversation.on_log_chunk(challenge_id, data));
    session->buffered_bytes += data.size();
    state.buffered_bytes += data.size();
    return {};
  });
}

Status Sessions::on_end(StreamId stream, std::uint64_t challenge_id, std::uint64_t log_bytes) {
  auto job = state_.with([&](State& state) -> Result<WorkerPool::Job> {
    ASSAY_TRY(Session * session, greeted(state, stream));
    ASSAY_TRY(Answer answer, session->conversation.on_end(challenge_id, log_bytes));
    if (!session->pending) return fail(FaultId::kEvidenceNone, "an answer that came too late");
    session->judging = true;
    Pending pending = *std::exchange(session->pending, std::nullopt);
    pending.log_bytes = std::exchange(session->buffered_bytes, 0);
    return [this, stream, pending = std::move(pending), answer = std::move(answer)] {
      judge(stream, pending, answer);
    };
  });
  if (!job) return tl::unexpected<Fault>(std::move(job).error());
  if (!workers_.submit(*std::move(job))) {
    state_.with([&](State& state) { state.buffered_bytes -= log_bytes; });
    return fail(FaultId::kUnavailable, "the verifier is busy; try again");
  }
  return {};
}

Status Sessions::on_refusal(StreamId stream, std::uint64_t challenge_id, std::string reason) {
  const Fault fault{.id = FaultId::kEvidenceRefused,
                    .detail = shorten(escape_bytes(reason), kMaxReasonBytes)};
  const auto node = state_.with([&](State& state) -> Result<NodeId> {
    ASSAY_TRY(Session * session, greeted(state, stream));
    ASSAY_OK(session->conversation.on_refusal(challenge_id));
    release(state, *session);
    session->pending.reset();
    return *session->node;
  });
  if (!node) return tl::unexpected<Fault>(node.error());
  world_.attempts.rejected(fault);
  (void)reject(*node, fault);
  return {};
}

Status Sessions::on_hint(StreamId stream) {
  const Instant now = world_.clock.now();
  ASSAY_OK(state_.with([&](State& state) -> Status {
    ASSAY_TRY(Session * session, greeted(state, stream));
    const Instant soonest =
        session->last_challenge ? *session->last_challenge + settings_.hint_gap : now;
    session->next_challenge = std::min(session->next_challenge, std::max(now, soonest));
    return {};
  }));
  wake();
  return {};
}

void Sessions::challenge(State& state, Session& session, Instant now) {
  Basis basis = world_.ledger.basis(*session.node);
  if (session.from_start) basis.from = {};
  const Challenge challenge{.nonce = world_.nonces(),
                            .selection = default_selection(settings_.bank),
                            .first_entry = basis.from.entries,
                            .first_byte = basis.from.bytes,
                            .max_log_bytes = settings_.max_log_bytes};
  const std::uint64_t id = state.next_id++;
  session.pending = Pending{id, challenge.nonce, std::move(basis), now};
  session.last_challenge = now;
  session.next_challenge = now + settings_.interval;
  session.conversation.begin(id, settings_.max_log_bytes);
  session.link->send(id, challenge);
}

Instant Sessions::tick() {
  const Instant now = world_.clock.now();
  std::vector<Waiter> late;
  const Instant next = state_.with([&](State& state) {
    late = end_late(state, now);
    for (auto& [id, session] : state.sessions) {
      const bool idle = session.node && !session.pending && !session.judging &&
                        session.conversation.state() == Conversation::State::kIdle;
      if (idle && session.next_challenge <= now) challenge(state, session, now);
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
    } else if (session.node && !session.judging) {
      next = std::min(next, session.next_challenge);
    }
  }
  return next;
}

// Closes streams that did not say hello or did not answer in time; gives the waiters whose time is
// up.
std::vector<Sessions::Waiter> Sessions::end_late(State& state, Instant now) {
  for (auto& [id, session] : state.sessions) {
    if (!session.node && now - session.opened_at > settings_.hello_timeout) {
      session.link->close({.id = FaultId::kEvidenceNone, .detail = "no hello"});
    }
    if (session.pending && now - session.pending->sent_at > settings_.answer_timeout) {
      const Fault fault{.id = FaultId::kEvidenceNone, .detail = "no answer to a challenge"};
      session.pending.reset();
      session.link->close(fault);
      world_.attempts.unanswered(fault);
    }
  }
  std::vector<Waiter> late;
  const auto in_time = std::ranges::partition(
      state.waiters, [&](const Waiter& waiter) { return waiter.deadline > now; });
  std::ranges::move(in_time, std::back_inserter(late));
  state.waiters.erase(in_time.begin(), in_time.end());
  return late;
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
      if (session.node != known->id) continue;
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
      return item.second.node == node && item.second.proven;
    });
  });
}

std::optional<NodeRecord> Sessions::reject(NodeId node, const Fault& fault) {
  auto rejected = world_.ledger.reject(node, fault, world_.clock.now());
  if (rejected) return *std::move(rejected);
  world_.attempts.not_stored(rejected.error());
  return std::nullopt;
}

void Sessions::judge(StreamId stream, const Pending& pending, const Answer& answer) {
  const auto golden = world_.golden.current();
  const std::chrono::nanoseconds started = world_.clock.monotonic();
  const Appraisal appraisal = attest({.quote = answer.quote, .ima_log = answer.ima_log},
                                     {.ak = pending.basis.ak,
                                      .nonce = pending.nonce,
                                      .policy = settings_.policy,
                                      .selection = default_selection(settings_.bank),
                                      .from = pending.basis.from,
                                      .last_clock = pending.basis.last_clock,
                                      .golden = golden.get()});
  if (appraisal.ask_again()) return finish(stream, pending, appraisal, std::nullopt);
  world_.attempts.judged(appraisal, world_.clock.monotonic() - started);
  const bool nothing_to_judge_by = appraisal.log && golden->set_count() == 0;
  finish(stream, pending, appraisal,
         nothing_to_judge_by ? reject(pending.basis.node, {.id = FaultId::kGoldenNone})
                             : record(pending, appraisal));
}

std::optional<NodeRecord> Sessions::record(const Pending& pending, const Appraisal& appraisal) {
  auto outcome = world_.ledger.apply(pending.basis, appraisal, world_.clock.now());
  if (!outcome) {
    world_.attempts.not_stored(outcome.error());
    return std::nullopt;
  }
  if (outcome->outdated) return std::nullopt;
  return std::move(outcome->node);
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

void Sessions::finish(StreamId stream, const Pending& pending, const Appraisal& appraisal,
                      const std::optional<NodeRecord>& node) {
  const bool authentic = appraisal.clock.has_value();
  const std::vector<Waiter> waiters = state_.with([&](State& state) {
    state.buffered_bytes -= pending.log_bytes;
    if (const auto found = state.sessions.find(stream); found != state.sessions.end()) {
      Session& session = found->second;
      session.judging = false;
      session.proven = session.proven || authentic;
      session.from_start = appraisal.ask_again();
      if (appraisal.ask_again()) session.next_challenge = world_.clock.now();
      if (node) session.link->send(outcome_of(pending.id, *node));
    }
    for (auto& [id, other] : state.sessions) {
      if (!authentic || id == stream || other.node != pending.basis.node) continue;
      other.link->close(
          {.id = FaultId::kAlreadyExists, .detail = "another stream speaks for this node"});
    }
    return node ? take_waiters(state, pending) : std::vector<Waiter>{};
  });
  for (const Waiter& waiter : waiters) waiter.done(*node);
  wake();
}

}  // namespace assay
