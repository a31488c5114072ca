// Challenges that go out, and what comes back.
#include <algorithm>
#include <utility>

#include "core/text.h"
#include "verifier/sessions/sessions.h"

namespace assay {
namespace {

constexpr std::size_t kMaxReasonBytes = 512;

AttemptOutcome outcome_of(std::uint64_t challenge_id, const NodeRecord& node) {
  return {.challenge_id = challenge_id,
          .state = node.standing.state,
          .faults_total = node.faults_total,
          .first_fault = node.faults.empty() ? "" : std::string(fault_name(node.faults[0].id))};
}

// A kernel without a boot log sends none of it.
std::optional<ByteView> boot_log_of(const Answer& answer) {
  if (!answer.boot_log || answer.boot_log->empty()) return std::nullopt;
  return *answer.boot_log;
}

}  // namespace

Nonce Sessions::fresh_nonce() const {
  std::array<std::uint8_t, kNonceSize> bytes{};
  world_.entropy(bytes);
  return *Nonce::from(bytes);
}

// The first bank of the class's choice that the TPM keeps. What it keeps is its agent's word: one
// that says less than is true only takes a bank away that its class accepts the others for.
std::optional<HashAlg> Sessions::choose_bank(const Session& session,
                                             const NodeClass& node_class) const {
  for (const HashAlg bank : node_class.banks) {
    if (bank == HashAlg::kSha1 && !world_.policy.allow_sha1) continue;
    const bool kept =
        session.banks.empty() || std::ranges::find(session.banks, bank) != session.banks.end();
    if (kept) return bank;
  }
  return std::nullopt;
}

void Sessions::ask(State& state, Session& session, Purpose purpose, Instant now) {
  Basis basis = world_.ledger.basis(*session.node);
  session.last_challenge = now;
  session.next_challenge = now + settings_.interval;
  const NodeClass& node_class = world_.policy.class_of(basis.name);
  const auto bank = choose_bank(session, node_class);
  if (!bank) {
    session.link->close({.id = FaultId::kQuoteUnsupported,
                         .detail = "the TPM keeps no PCR bank of class " + node_class.name});
    return;
  }
  const bool proof = purpose == Purpose::kProof;
  if (session.from_start || !basis.from.running.contains({*bank, kImaPcr})) basis.from = {};
  const bool whole = session.whole_log && basis.from.entries > 0;
  // The whole log may hold a further kernel's boot_aggregate: with the boot, one answer tells it all.
  const bool boot = basis.boot_due || session.boot_again || basis.from.entries == 0 || whole;
  const Challenge challenge{
      .nonce = fresh_nonce(),
      .selection = !proof && boot ? boot_selection(*bank, session.banks) : default_selection(*bank),
      .first_entry = proof || whole ? 0 : basis.from.entries,
      .first_byte = proof || whole ? 0 : basis.from.bytes,
      .max_log_bytes = proof ? 0 : settings_.max_log_bytes,
      .quote_only = proof,
      .max_boot_log_bytes = !proof && boot ? kMaxBootLogBytes : 0};
  const std::uint64_t id = state.next_id++;
  session.conversation.begin(id, {.max_log_bytes = challenge.max_log_bytes,
                                  .quote_only = challenge.quote_only,
                                  .max_boot_log_bytes = challenge.max_boot_log_bytes,
                                  .spool_folder = settings_.spool_folder});
  session.link->send(id, challenge);
  session.pending = Pending{.id = id,
                            .purpose = purpose,
                            .challenge = challenge,
                            .basis = std::move(basis),
                            .log_form = session.log_form,
                            .log_start = whole ? LogStart::kUnknown : LogStart::kAtCheckpoint,
                            .sent_at = now};
}

Status Sessions::on_quote(StreamId stream, std::uint64_t challenge_id, UntrustedQuote quote) {
  return state_.with([&](State& state) -> Status {
    ASSAY_TRY(Session * session, answering(state, stream));
    return session->conversation.on_quote(challenge_id, std::move(quote));
  });
}

Status Sessions::take_part(StreamId stream, std::size_t bytes,
                           const std::function<Status(Conversation&)>& give) {
  return state_.with([&](State& state) -> Status {
    ASSAY_TRY(Session * session, answering(state, stream));
    if (bytes > settings_.max_buffered_bytes - state.buffered_bytes) {
      return fail(FaultId::kUnavailable, "the verifier holds too many answers; try again");
    }
    ASSAY_OK(give(session->conversation));
    session->buffered_bytes += bytes;
    state.buffered_bytes += bytes;
    return {};
  });
}

Status Sessions::on_boot_log_chunk(StreamId stream, std::uint64_t challenge_id, ByteView data) {
  return take_part(stream, data.size(), [&](Conversation& conversation) {
    return conversation.on_boot_log_chunk(challenge_id, data);
  });
}

Status Sessions::on_log_chunk(StreamId stream, std::uint64_t challenge_id, ByteView data) {
  return take_part(stream, data.size(), [&](Conversation& conversation) {
    return conversation.on_log_chunk(challenge_id, data);
  });
}

Status Sessions::on_pod_claims(StreamId stream, std::uint64_t challenge_id, PodClaims claims) {
  return take_part(stream, size_of(claims), [&](Conversation& conversation) {
    return conversation.on_pod_claims(challenge_id, std::move(claims));
  });
}

Status Sessions::on_end(StreamId stream, std::uint64_t challenge_id, AnswerEnd end) {
  std::uint64_t held = 0;
  auto job = state_.with([&](State& state) -> Result<WorkerPool::Job> {
    ASSAY_TRY(Session * session, answering(state, stream));
    ASSAY_TRY(Answer answer, session->conversation.on_end(challenge_id, std::move(end)));
    if (!session->pending) return fail(FaultId::kEvidenceNone, "an answer that came too late");
    session->judging = true;
    Pending pending = *std::exchange(session->pending, std::nullopt);
    held = pending.buffered_bytes = std::exchange(session->buffered_bytes, 0);
    pending.ranges = session->ranges;
    return [this, stream, pending = std::move(pending),
            answer = std::make_shared<const Answer>(std::move(answer))] {
      pending.purpose == Purpose::kProof ? prove(stream, pending, *answer)
                                         : judge(stream, pending, *answer);
    };
  });
  if (!job) return tl::unexpected<Fault>(std::move(job).error());
  if (!workers_.submit(*std::move(job))) {
    state_.with([&](State& state) { state.buffered_bytes -= held; });
    return fail(FaultId::kUnavailable, "the verifier is busy; try again");
  }
  return {};
}

// Of a stream that has not proven which node it is, the node hears nothing.
Status Sessions::on_refusal(StreamId stream, std::uint64_t challenge_id, std::string reason) {
  const Fault fault{.id = FaultId::kEvidenceRefused,
                    .detail = shorten(escape_bytes(reason), kMaxReasonBytes)};
  const auto node = state_.with([&](State& state) -> Result<NodeId> {
    const auto found = state.sessions.find(stream);
    if (found == state.sessions.end() || found->second.stage == Stage::kHello) {
      return fail(FaultId::kEvidenceMalformed, "a refusal of nothing");
    }
    if (found->second.stage != Stage::kReady) return tl::unexpected<Fault>(fault);
    Session& session = found->second;
    ASSAY_OK(session.conversation.on_refusal(challenge_id));
    release(state, session);
    session.pending.reset();
    return *session.node;
  });
  if (!node) return tl::unexpected<Fault>(node.error());
  (void)reject(*node, fault);
  world_.attempts.rejected(fault);
  return {};
}

Status Sessions::on_hint(StreamId stream) {
  const Instant now = world_.clock.now();
  ASSAY_OK(state_.with([&](State& state) -> Status {
    ASSAY_TRY(Session * session, answering(state, stream));
    const Instant soonest =
        session->last_challenge ? *session->last_challenge + settings_.hint_gap : now;
    session->next_challenge = std::min(session->next_challenge, std::max(now, soonest));
    return {};
  }));
  wake();
  return {};
}

// Records may have been removed from the log since it was proven last: that what comes behind the
// checkpoint leads nowhere is tampering only when the rest of what the node has does not either. Until
// then it is an answer that proves nothing: kept as the reason should no other come. No more is asked
// than once for each answer.
bool Sessions::wants_whole_log(const Pending& pending, const Appraisal& appraisal) {
  static constexpr FaultId kOfTheLog[] = {
      FaultId::kImaTooLarge,     FaultId::kImaMalformed,   FaultId::kImaTemplateDigestMismatch,
      FaultId::kImaPcrNotQuoted, FaultId::kImaPcrMismatch, FaultId::kImaLogTruncated};
  const std::vector<Fault>& faults = appraisal.faults.listed();
  return pending.log_start == LogStart::kAtCheckpoint && pending.challenge.first_entry > 0 &&
         !appraisal.log && !faults.empty() && std::ranges::count(kOfTheLog, faults[0].id) > 0;
}

std::shared_ptr<const UidRanges> Sessions::learn_ranges(StreamId stream, const Pending& pending,
                                                        const Answer& answer) {
  if (!answer.pod_claims) return pending.ranges;
  UidRanges ranges = pending.ranges ? *pending.ranges : UidRanges();
  if (auto fault = learn(*answer.pod_claims, ranges)) {
    fault->detail = "node " + escape_bytes(pending.basis.name) + ": " + fault->detail;
    world_.attempts.rejected(*fault);
  }
  auto out = std::make_shared<const UidRanges>(std::move(ranges));
  keep_ranges(stream, out);
  return out;
}

void Sessions::settle_ranges(StreamId stream, const std::shared_ptr<const UidRanges>& ranges) {
  if (ranges == nullptr || ranges->is_settled()) return;
  UidRanges settled = *ranges;
  settled.settle();
  keep_ranges(stream, std::make_shared<const UidRanges>(std::move(settled)));
}

void Sessions::keep_ranges(StreamId stream, std::shared_ptr<const UidRanges> ranges) {
  state_.with([&](State& state) {
    const auto found = state.sessions.find(stream);
    if (found != state.sessions.end()) found->second.ranges = std::move(ranges);
  });
}

void Sessions::judge(StreamId stream, const Pending& pending, const Answer& answer) {
  const auto ranges = learn_ranges(stream, pending, answer);
  const auto ima_log = answer.ima_log.view();
  if (!ima_log) {
    world_.attempts.not_stored(ima_log.error());
    return finish(stream, pending, {}, std::nullopt);
  }
  const auto golden = world_.golden.current();
  const auto cluster = world_.cluster ? world_.cluster() : nullptr;
  const PodExpectation pods{.cluster = cluster.get(),
                            .node = pending.basis.name,
                            .rules = world_.policy.namespaces,
                            .ranges = ranges.get()};
  const NodeClass& node_class = world_.policy.class_of(pending.basis.name);
  const std::chrono::nanoseconds started = world_.clock.monotonic();
  const Appraisal appraisal =
      attest({.quote = answer.quote,
              .ima_log = *ima_log,
              .ima_log_form = pending.log_form,
              .boot_log = boot_log_of(answer),
              .command_line = answer.command_line},
             {.ak = pending.basis.ak,
              .nonce = pending.challenge.nonce,
              .policy = {.allow_sha1 = world_.policy.allow_sha1},
              .selection = pending.challenge.selection,
              .from = pending.basis.from,
              .log_start = pending.log_start,
              .last_clock = pending.basis.last_clock,
              .golden = golden.get(),
              .boot = answer.boot_log ? BootQuestion::kAsked : BootQuestion::kNotAsked,
              .boot_policy = &node_class.boot,
              .ima_policy = node_class.ima_policy ? &*node_class.ima_policy : nullptr,
              .ima_policy_grace = ImaPolicyGrace::kFirstEvidence,
              .violations = node_class.violations,
              .today = std::chrono::floor<std::chrono::days>(world_.clock.now()),
              .signatures = &signatures_,
              .pods = pods,
              .boot_pcrs = pending.basis.boot_pcrs});
  if (appraisal.ask_again()) return finish(stream, pending, appraisal, std::nullopt);
  if (wants_whole_log(pending, appraisal)) {
    const Fault& fault = appraisal.faults.listed()[0];
    (void)reject(pending.basis.node, fault);
    world_.attempts.rejected(fault);
    return finish(stream, pending, appraisal, std::nullopt);
  }
  world_.attempts.judged(appraisal, world_.clock.monotonic() - started);
  if (appraisal.log && golden->set_count() == 0) {
    return finish(stream, pending, appraisal,
                  reject(pending.basis.node, {.id = FaultId::kGoldenNone}));
  }
  const auto node = record(pending, appraisal, use_of(appraisal, *golden, pods));
  if (node && appraisal.log) settle_ranges(stream, ranges);
  finish(stream, pending, appraisal, node);
}

GoldenUse Sessions::use_of(const Appraisal& appraisal, const GoldenSnapshot& golden,
                           const PodExpectation& pods) const {
  if (!appraisal.log) return {};
  GoldenUse use = world_.golden.use_of(appraisal.log->accepted, golden);
  for (GoldenUse::Pod& pod : use.pods) {
    const PodFacts* known = find_pod(pod.label, pods);
    if (known != nullptr) pod.name = known->name_space + '/' + known->name;
  }
  return use;
}

std::optional<NodeRecord> Sessions::record(const Pending& pending, const Appraisal& appraisal,
                                           const GoldenUse& use) {
  auto outcome = world_.ledger.apply(pending.basis, appraisal, use, world_.clock.now());
  if (!outcome) {
    world_.attempts.not_stored(outcome.error());
    return std::nullopt;
  }
  if (outcome->outdated) return std::nullopt;
  return std::move(outcome->node);
}

std::optional<NodeRecord> Sessions::reject(NodeId node, const Fault& fault) {
  auto rejected = world_.ledger.reject(node, fault, world_.clock.now());
  if (rejected) return *std::move(rejected);
  world_.attempts.not_stored(rejected.error());
  return std::nullopt;
}

void Sessions::finish(StreamId stream, const Pending& pending, const Appraisal& appraisal,
                      const std::optional<NodeRecord>& node) {
  const std::vector<Waiter> waiters = state_.with([&](State& state) {
    state.buffered_bytes -= pending.buffered_bytes;
    if (const auto found = state.sessions.find(stream); found != state.sessions.end()) {
      Session& session = found->second;
      session.judging = false;
      session.boot_again = appraisal.ask_again();
      session.from_start = appraisal.ask_again() && appraisal.continuity == Continuity::kRebooted;
      session.whole_log = wants_whole_log(pending, appraisal);
      if (appraisal.ask_again() || session.whole_log) session.next_challenge = world_.clock.now();
      if (node) session.link->send(outcome_of(pending.id, *node));
    }
    return node ? take_waiters(state, pending) : std::vector<Waiter>{};
  });
  for (const Waiter& waiter : waiters) waiter.done(*node);
  wake();
}

}  // namespace assay
