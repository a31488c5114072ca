// What streams may not do: each costs them a fault.
#include <doctest/doctest.h>

#include <latch>

#include "tests/support/fault_of.h"
#include "tests/verifier/sessions_case.h"
#include "verifier/sessions/sessions.h"

using namespace assay;
using namespace assay::testing;
using namespace std::chrono_literals;

TEST_CASE("Sessions: a stream that does not answer, or says no hello, is closed") {
  World world;
  EnrolledNode node(world);
  Agent mute(world, node);
  Agent silent(world, node);
  REQUIRE(mute.hello().has_value());
  world.clock.advance(30s + 1ms);
  world.sessions.tick();
  REQUIRE(mute.link.closed().size() == 1);
  CHECK(mute.link.closed()[0].id == FaultId::kEvidenceNone);
  CHECK(world.attempts.unanswered_count == 1);
  REQUIRE(silent.link.closed().size() == 1);
  CHECK(silent.link.closed()[0].id == FaultId::kEvidenceNone);
}

TEST_CASE("Sessions: an answer that ends after its time is refused") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  const auto [id, challenge] = agent.link.challenges().back();
  REQUIRE(world.sessions.on_quote(agent.stream, id, node.quote(challenge.nonce)).has_value());
  world.clock.advance(30s + 1ms);
  world.sessions.tick();
  const Status late = world.sessions.on_end(agent.stream, id, {});
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().id == FaultId::kEvidenceNone);
}

TEST_CASE("Sessions: messages before hello, and a second hello, break the protocol") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  const auto malformed = [](const Status& status) {
    return !status && status.error().id == FaultId::kEvidenceMalformed;
  };
  CHECK(malformed(world.sessions.on_quote(agent.stream, 1, {})));
  CHECK(malformed(world.sessions.on_log_chunk(agent.stream, 1, Bytes{1})));
  CHECK(malformed(world.sessions.on_end(agent.stream, 1, {})));
  CHECK(malformed(world.sessions.on_refusal(agent.stream, 1, "x")));
  CHECK(malformed(world.sessions.on_hint(agent.stream)));
  CHECK(malformed(world.sessions.on_identity(agent.stream, {})));
  CHECK(malformed(world.sessions.on_opened_credential(agent.stream, Bytes(32))));
  REQUIRE(agent.hello().has_value());
  CHECK(malformed(agent.greet()));
}

TEST_CASE("Sessions: streams are bounded, and what they hold is bounded") {
  World world({.max_buffered_bytes = 10, .max_streams = 3});
  EnrolledNode node(world);
  Agent a(world, node);
  REQUIRE(a.hello().has_value());
  const auto [id, challenge] = a.link.challenges().back();
  REQUIRE(world.sessions.on_quote(a.stream, id, node.quote(challenge.nonce)).has_value());
  const Status chunk = world.sessions.on_log_chunk(a.stream, id, Bytes(11, 1));
  REQUIRE_FALSE(chunk.has_value());
  CHECK(chunk.error().id == FaultId::kUnavailable);
  RecordingLink extra[3];
  CHECK(world.sessions.open(extra[0]).has_value());
  CHECK(world.sessions.open(extra[1]).has_value());
  CHECK(fault_of(world.sessions.open(extra[2])) == FaultId::kUnavailable);
}

TEST_CASE("Sessions: an answer that is being judged counts as held, though its stream has gone") {
  World world({.max_buffered_bytes = 600});
  std::latch judging(1);
  std::latch go_on(1);
  world.attempts.on_judged = [&] {
    if (world.attempts.judged_count == 1) judging.count_down();
    go_on.wait();
  };
  EnrolledNode node(world);
  const auto send = [&](Agent& agent) {
    REQUIRE(agent.hello().has_value());
    const auto [id, challenge] = agent.link.challenges().back();
    REQUIRE(world.sessions.on_quote(agent.stream, id, node.quote(challenge.nonce)).has_value());
    const Status sent = world.sessions.on_log_chunk(agent.stream, id, Bytes(400, 1));
    if (sent) REQUIRE(world.sessions.on_end(agent.stream, id, {.log_bytes = 400}).has_value());
    return sent;
  };
  {
    Agent first(world, node);
    CHECK(send(first).has_value());
    judging.wait();
  }
  {
    Agent second(world, node);
    const Status held = send(second);
    REQUIRE_FALSE(held.has_value());
    CHECK(held.error().id == FaultId::kUnavailable);
  }
  go_on.count_down();
  bool room = false;
  CHECK(tick_until(world, [&] {
    Agent third(world, node);
    room = room || send(third).has_value();
    return room;
  }));
}

TEST_CASE("Sessions: a stream that proves itself ends the one that spoke for its node") {
  World world;
  EnrolledNode node(world);
  Agent first(world, node);
  Agent second(world, node);
  REQUIRE(first.hello().has_value());
  CHECK(first.answer() == "trusted");
  REQUIRE(second.hello().has_value());
  REQUIRE(first.link.wait_for_close());
  CHECK(first.link.closed()[0].id == FaultId::kAlreadyExists);
  CHECK(second.answer() == "trusted");
  CHECK(second.link.closed().empty());
}

TEST_CASE(
    "Sessions: streams that only know a node's key keep nothing from it, and tell it nothing") {
  World world({.max_buffered_bytes = 10'000});
  EnrolledNode node(world);
  SimulatedNode impostor;  // signs with a key of its own
  Agent real(world, node);
  std::vector<std::unique_ptr<Agent>> claims;
  for (int i = 0; i < 20; ++i) {
    claims.push_back(std::make_unique<Agent>(world, node));
    REQUIRE(claims.back()->greet().has_value());
  }
  CHECK_FALSE(world.sessions.connected(world.ledger.node("n1")->id));
  Agent& liar = *claims.front();
  const auto [id, challenge] = liar.link.challenges().back();
  CHECK(challenge.quote_only);
  const Status log = world.sessions.on_log_chunk(liar.stream, id, Bytes(1));
  REQUIRE_FALSE(log.has_value());
  CHECK(log.error().id == FaultId::kEvidenceMalformed);
  REQUIRE(world.sessions.on_quote(liar.stream, id, impostor.quote(challenge.nonce)).has_value());
  REQUIRE(world.sessions.on_end(liar.stream, id, {}).has_value());
  REQUIRE(liar.link.wait_for_close());
  CHECK(liar.link.closed()[0].id == FaultId::kQuoteBadSignature);
  const Status refusal = world.sessions.on_refusal(claims[1]->stream, 1, "no TPM");
  REQUIRE_FALSE(refusal.has_value());
  CHECK(refusal.error().id == FaultId::kEvidenceRefused);
  CHECK_FALSE(world.ledger.node("n1")->last_rejection.has_value());

  REQUIRE(real.hello().has_value());
  CHECK(real.answer() == "trusted");
  CHECK(world.sessions.connected(world.ledger.node("n1")->id));
}

TEST_CASE("Sessions: a proof of another stream proves nothing") {
  World world;
  EnrolledNode node(world);
  Agent real(world, node);
  Agent thief(world, node);
  REQUIRE(real.greet().has_value());
  REQUIRE(thief.greet().has_value());
  const auto [id, challenge] = thief.link.challenges().back();
  const Nonce others = real.link.challenges().back().challenge.nonce;
  REQUIRE(world.sessions.on_quote(thief.stream, id, node.quote(others)).has_value());
  REQUIRE(world.sessions.on_end(thief.stream, id, {}).has_value());
  REQUIRE(thief.link.wait_for_close());
  CHECK(thief.link.closed()[0].id == FaultId::kQuoteNonceMismatch);
}
