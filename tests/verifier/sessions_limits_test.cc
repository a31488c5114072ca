// What streams may not do: each costs them a fault.
#include <doctest/doctest.h>

#include <latch>

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
  world.sessions.tick();
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
  world.sessions.tick();
  const auto [id, challenge] = agent.link.challenges().back();
  REQUIRE(world.sessions.on_quote(agent.stream, id, node.quote(challenge.nonce)).has_value());
  world.clock.advance(30s + 1ms);
  world.sessions.tick();
  const Status late = world.sessions.on_end(agent.stream, id, 0);
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().id == FaultId::kEvidenceNone);
}

TEST_CASE("Sessions: a key that nobody enrolled is refused and counted") {
  World world;
  SimulatedNode stranger;
  Agent agent(world, stranger);
  const Status got = agent.hello();
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().id == FaultId::kAkUnknown);
  world.sessions.refused(got.error());
  CHECK(world.attempts.rejections == std::vector<FaultId>{FaultId::kAkUnknown});
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
  CHECK(malformed(world.sessions.on_end(agent.stream, 1, 0)));
  CHECK(malformed(world.sessions.on_refusal(agent.stream, 1, "x")));
  CHECK(malformed(world.sessions.on_hint(agent.stream)));
  REQUIRE(agent.hello().has_value());
  CHECK(malformed(agent.hello()));
}

TEST_CASE("Sessions: streams are bounded in all and per node, and what they hold is bounded") {
  World world({.max_buffered_bytes = 10, .max_streams = 5, .max_streams_per_node = 2});
  EnrolledNode node(world);
  Agent a(world, node);
  Agent b(world, node);
  Agent c(world, node);
  REQUIRE(a.hello().has_value());
  REQUIRE(b.hello().has_value());
  const Status third = c.hello();
  REQUIRE_FALSE(third.has_value());
  CHECK(third.error().id == FaultId::kUnavailable);
  world.sessions.tick();
  const auto [id, challenge] = a.link.challenges().back();
  REQUIRE(world.sessions.on_quote(a.stream, id, node.quote(challenge.nonce)).has_value());
  const Status chunk = world.sessions.on_log_chunk(a.stream, id, Bytes(11, 1));
  REQUIRE_FALSE(chunk.has_value());
  CHECK(chunk.error().id == FaultId::kUnavailable);
  RecordingLink extra[3];
  CHECK(world.sessions.open(extra[0]).has_value());
  CHECK(world.sessions.open(extra[1]).has_value());
  CHECK(world.sessions.open(extra[2]).error().id == FaultId::kUnavailable);
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
    world.sessions.tick();
    const auto [id, challenge] = agent.link.challenges().back();
    REQUIRE(world.sessions.on_quote(agent.stream, id, node.quote(challenge.nonce)).has_value());
    const Status sent = world.sessions.on_log_chunk(agent.stream, id, Bytes(400, 1));
    if (sent) REQUIRE(world.sessions.on_end(agent.stream, id, 400).has_value());
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

TEST_CASE("Sessions: the first stream that proves itself ends the others that claim its node") {
  World world;
  EnrolledNode node(world);
  Agent impostor(world, node);
  Agent real(world, node);
  REQUIRE(impostor.hello().has_value());
  REQUIRE(real.hello().has_value());
  world.sessions.tick();
  CHECK(real.answer() == "trusted");
  REQUIRE(impostor.link.wait_for_close());
  CHECK(impostor.link.closed()[0].id == FaultId::kAlreadyExists);
  CHECK(real.link.closed().empty());
}
