// How a stream comes to speak for a node.
#include <algorithm>
#include <utility>

#include "verifier/sessions/sessions.h"

namespace assay {

Status Sessions::on_hello(StreamId stream, ByteView ak_public, std::vector<HashAlg> banks,
                          ImaLogForm log_form) {
  ASSAY_TRY(AkPublic ak, parse_ak_public(ak_public));
  const Instant now = world_.clock.now();
  const auto known = world_.ledger.find(ak.fingerprint(), now);
  return state_.with([&](State& state) -> Status {
    ASSAY_TRY(Session * session, in_stage(state, stream, Stage::kHello));
    session->banks = std::move(banks);
    session->log_form = log_form;
    if (known) {
      session->node = *known;
      enter(*session, Stage::kProof, now);
      ask(state, *session, Purpose::kProof, now);
    } else {
      session->ak = std::move(ak);
      enter(*session, Stage::kIdentity, now);
      session->link->identify();
    }
    return {};
  });
}

// The certificates are checked with nothing locked: that takes a millisecond, and who sent them is
// not known.
Status Sessions::on_identity(StreamId stream, const Identity& identity) {
  const auto ak = state_.with([&](State& state) -> Result<AkPublic> {
    ASSAY_TRY(Session * session, in_stage(state, stream, Stage::kIdentity));
    enter(*session, Stage::kExamining, world_.clock.now());
    return *session->ak;
  });
  if (!ak) return tl::unexpected<Fault>(ak.error());
  ASSAY_TRY(Candidate candidate, world_.enrolment.examine(*ak, identity));
  return state_.with([&](State& state) -> Status {
    ASSAY_TRY(Session * session, in_stage(state, stream, Stage::kExamining));
    enter(*session, Stage::kCredential, world_.clock.now());
    session->link->send(candidate.credential.credential());
    session->candidate = std::move(candidate);
    return {};
  });
}

Status Sessions::on_opened_credential(StreamId stream, ByteView secret) {
  auto candidate = state_.with([&](State& state) -> Result<Candidate> {
    const auto found = state.sessions.find(stream);
    if (found != state.sessions.end() && found->second.ak &&
        found->second.stage > Stage::kCredential) {
      return fail(FaultId::kEnrolCredentialUsed, "");
    }
    ASSAY_TRY(Session * session, in_stage(state, stream, Stage::kCredential));
    enter(*session, Stage::kActivating, world_.clock.now());
    return *std::exchange(session->candidate, std::nullopt);
  });
  if (!candidate) return tl::unexpected<Fault>(std::move(candidate).error());
  ASSAY_TRY(const NodeId node, world_.enrolment.admit(*std::move(candidate), secret));
  ASSAY_OK(state_.with([&](State& state) -> Status {
    ASSAY_TRY([[maybe_unused]] Session * session, in_stage(state, stream, Stage::kActivating));
    become(state, stream, node, world_.clock.now());
    return {};
  }));
  wake();
  return {};
}

// Makes a stream the one that speaks for a node.
void Sessions::become(State& state, StreamId stream, NodeId node, Instant now) {
  for (auto& [id, other] : state.sessions) {
    if (id == stream || other.node != node || other.stage != Stage::kReady) continue;
    other.link->close(
        {.id = FaultId::kAlreadyExists, .detail = "another stream speaks for this node"});
  }
  Session& session = state.sessions.at(stream);
  session.node = node;
  session.next_challenge = now;
  enter(session, Stage::kReady, now);
}

// The answer to a nonce of this stream alone: whoever has signed it holds the node's key.
void Sessions::prove(StreamId stream, const Pending& pending, const Answer& answer) {
  const auto quoted = verify_quote(answer.quote, pending.basis.ak, pending.challenge.nonce,
                                   {.allow_sha1 = world_.policy.allow_sha1});
  if (!quoted) world_.attempts.rejected(quoted.error());
  const Instant now = world_.clock.now();
  state_.with([&](State& state) {
    const auto found = state.sessions.find(stream);
    if (found == state.sessions.end()) return;
    found->second.judging = false;
    if (quoted) {
      become(state, stream, pending.basis.node, now);
    } else {
      found->second.link->close(quoted.error());
    }
  });
  wake();
}

void Sessions::disconnect(NodeId node, const Fault& reason) {
  state_.with([&](State& state) {
    for (auto& [id, session] : state.sessions) {
      if (session.node == node) session.link->close(reason);
    }
  });
}

}  // namespace assay
