#include "verifier/sessions/sessions.h"

#include <doctest/doctest.h>

#include <future>
#include <set>
#include <thread>

#include "tests/support/fault_of.h"
#include "tests/verifier/sessions_case.h"

using namespace assay;
using namespace assay::testing;
using namespace std::chrono_literals;

namespace {

// Where the record begins that ends at `offset`.
std::size_t last_record_before(ByteView log, std::size_t offset) {
  std::size_t begin = 0;
  for (ImaLogReader reader(log); reader.offset() < offset;) {
    begin = reader.offset();
    REQUIRE(reader.next().has_value());
  }
  return begin;
}

}  // namespace

TEST_CASE(
    "Sessions: a node that runs golden files only becomes trusted, and stays so by new evidence") {
  World world;
  EnrolledNode node(world);
  node.run("/bin/good", "good");
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  CHECK(state_of(world, "n1") == "unknown");
  REQUIRE(agent.link.challenges().size() == 2);
  CHECK(agent.link.challenges()[0].challenge.quote_only);
  CHECK(agent.link.challenges()[1].challenge.first_entry == 0);
  CHECK(agent.answer() == "trusted");
  CHECK(agent.next_answer() == "trusted");
  CHECK(agent.link.challenges()[2].challenge.first_entry == 2);
  CHECK(world.ledger.node("n1")->checkpoint.entries == 2);
  CHECK(world.sessions.connected(world.ledger.node("n1")->id));
}

TEST_CASE(
    "Sessions: an unknown file compromises once, and its violation stays open until acknowledged") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  CHECK(agent.answer() == "trusted");
  node.run("/tmp/evil", "evil");
  CHECK(agent.next_answer() == "compromised");
  CHECK(agent.link.outcomes().back().first_fault == "ima.unknown_digest");
  CHECK(agent.next_answer() == "compromised");
  CHECK(world.store.violations({})->size() == 1);
  CHECK(world.store.violations({})->at(0).fault.path == "/tmp/evil");
  CHECK(world.ledger.acknowledge("n1", "drill", world.clock.now())->closed == 1);
  CHECK(agent.next_answer() == "trusted");
}

TEST_CASE("Sessions: no nonce is used twice") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  agent.answer();
  for (int i = 0; i < 5; ++i) agent.next_answer();
  std::set<std::string> nonces;
  for (const auto& sent : agent.link.challenges()) {
    const ByteView nonce = sent.challenge.nonce.bytes();
    CHECK(nonce.size() == 32);
    CHECK(nonces.insert(to_hex(nonce)).second);
  }
}

TEST_CASE("Sessions: a hint brings the challenge forward, but not closer than the gap") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  agent.answer();
  REQUIRE(world.sessions.on_hint(agent.stream).has_value());
  world.sessions.tick();
  CHECK(agent.link.challenges().size() == 2);
  world.clock.advance(250ms);
  world.sessions.tick();
  CHECK(agent.link.challenges().size() == 3);
}

TEST_CASE("Sessions: after a reboot the whole log is asked for, at once") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  agent.answer();
  node.run("/tmp/evil", "evil");
  CHECK(agent.next_answer() == "compromised");
  node.reboot();
  world.clock.advance(30s);
  world.sessions.tick();
  const auto asked = agent.link.challenges().size();
  const auto [id, challenge] = agent.link.challenges().back();
  CHECK(challenge.first_entry == 2);
  REQUIRE(world.sessions.on_quote(agent.stream, id, node.quote(challenge)).has_value());
  REQUIRE(world.sessions.on_end(agent.stream, id, {}).has_value());
  CHECK(tick_until(world, [&] { return agent.link.challenges().size() > asked; }));
  CHECK(agent.link.challenges().back().challenge.first_entry == 0);
  CHECK(agent.answer() == "trusted");
  CHECK(world.ledger.node("n1")->boot == 1);
  CHECK(world.ledger.node("n1")->open_violations == 0);
  CHECK(world.store.violations({})->at(0).status == ViolationStatus::kClosed);
}

TEST_CASE("Sessions: a log shorter than the checkpoint, whole as it may be, is tampering") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  agent.answer();
  node.run("/bin/good", "good");
  world.clock.advance(30s);
  world.sessions.tick();
  agent.answer_out_of_place(Bytes{});
  CHECK(state_of(world, "n1") == "trusted");
  CHECK(agent.answer(Bytes{}) == "compromised");
  CHECK(agent.link.outcomes().back().first_fault == "ima.log_truncated");
}

TEST_CASE("Sessions: who is asked for the whole log and hangs up leaves a reason, and goes stale") {
  World world;
  EnrolledNode node(world);
  {
    Agent agent(world, node);
    REQUIRE(agent.hello().has_value());
    agent.answer();
    node.run("/bin/good", "good");
    world.clock.advance(30s);
    world.sessions.tick();
    agent.answer_out_of_place(Bytes{});
    CHECK(agent.link.challenges().back().challenge.max_boot_log_bytes > 0);
  }
  CHECK(state_of(world, "n1") == "trusted");
  CHECK(world.ledger.node("n1")->last_rejection->id == FaultId::kImaLogTruncated);
  world.clock.advance(91s);
  world.sessions.tick();
  CHECK(state_of(world, "n1") == "stale");
  CHECK(world.ledger.node("n1")->last_rejection->id == FaultId::kImaLogTruncated);
}

TEST_CASE("Sessions: a log whose older records were removed is followed, then from where it is") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  agent.answer();
  const std::uint64_t proven = world.ledger.node("n1")->checkpoint.bytes;
  node.run("/bin/good", "good");
  world.clock.advance(30s);
  world.sessions.tick();
  // The node has only its last two records left: the first of them is proven.
  const Bytes all = node.log_from(0);
  const Bytes left(all.begin() + static_cast<std::ptrdiff_t>(last_record_before(all, proven)),
                   all.end());
  agent.answer_out_of_place(Bytes{});
  CHECK(agent.answer(left) == "trusted");
  CHECK(world.ledger.node("n1")->checkpoint.entries == 2);
  CHECK(world.ledger.node("n1")->checkpoint.bytes == left.size());
  node.run("/tmp/evil", "evil");
  world.clock.advance(30s);
  world.sessions.tick();
  CHECK(agent.link.challenges().back().challenge.first_byte == left.size());
  CHECK(agent.answer(node.log_from(all.size())) == "compromised");
}

TEST_CASE(
    "Sessions: garbage instead of a log is rejected, kept as the reason, and changes no verdict") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  agent.answer();
  world.clock.advance(30s);
  world.sessions.tick();
  agent.answer_out_of_place(Bytes(1000, 0xee));
  CHECK(agent.answer(Bytes(1000, 0xee)) == "trusted");
  CHECK(world.ledger.node("n1")->last_rejection->id == FaultId::kImaTooLarge);
  world.clock.advance(61s);
  world.sessions.tick();
  CHECK(state_of(world, "n1") == "stale");
}

TEST_CASE("Sessions: silence makes a node stale by the clock alone") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  agent.answer();
  world.clock.advance(90s);
  world.sessions.tick();
  CHECK(state_of(world, "n1") == "trusted");
  world.clock.advance(1ms);
  world.sessions.tick();
  CHECK(state_of(world, "n1") == "stale");
}

TEST_CASE("Sessions: without any golden set nothing is judged, and nothing is lost") {
  World world;
  world.golden.replace({});
  EnrolledNode node(world);
  node.run("/tmp/evil", "evil");
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  CHECK(agent.answer() == "unknown");
  CHECK(world.ledger.node("n1")->last_rejection->id == FaultId::kGoldenNone);
  world.golden.replace(golden_with({"good"}));
  CHECK(agent.next_answer() == "compromised");
}

TEST_CASE("Sessions: an agent that refuses is heard, and its node is asked again") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  REQUIRE(world.sessions.on_refusal(agent.stream, agent.link.challenges()[1].id, "no \x1b[31mTPM")
              .has_value());
  CHECK(world.ledger.node("n1")->last_rejection->id == FaultId::kEvidenceRefused);
  CHECK(world.ledger.node("n1")->last_rejection->detail == "no \\x1b[31mTPM");
  CHECK(agent.next_answer() == "trusted");
}

TEST_CASE("Sessions: attest_now challenges at once, and answers when the node is judged") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  agent.answer();
  const auto answered = [&](std::string_view name, Instant deadline) {
    auto promise = std::make_shared<std::promise<Result<NodeRecord>>>();
    auto future = promise->get_future();
    world.sessions.attest_now(name, deadline, [promise](Result<NodeRecord> result) {
      promise->set_value(std::move(result));
    });
    return future;
  };
  world.clock.advance(1s);
  auto first = answered("n1", world.clock.now() + 5s);
  node.run("/tmp/evil", "evil");
  world.sessions.tick();
  agent.answer();
  REQUIRE(first.wait_for(20s) == std::future_status::ready);
  CHECK(first.get()->standing.state == NodeState::kCompromised);

  auto late = answered("n1", world.clock.now() + 5s);
  world.clock.advance(5s);
  world.sessions.tick();
  REQUIRE(late.wait_for(0s) == std::future_status::ready);
  CHECK(fault_of(late.get()) == FaultId::kUnavailable);

  auto ended = answered("n1", world.clock.now() + 5s);
  world.sessions.end_waiting();
  REQUIRE(ended.wait_for(0s) == std::future_status::ready);
  CHECK(fault_of(ended.get()) == FaultId::kUnavailable);
  CHECK(fault_of(answered("nobody", world.clock.now()).get()) == FaultId::kNotFound);
}

TEST_CASE("Sessions: two answers on one basis count once") {
  World world;
  EnrolledNode node(world);
  node.run("/tmp/evil", "evil");
  Agent a(world, node);
  Agent b(world, node);
  REQUIRE(a.hello().has_value());
  REQUIRE(b.hello().has_value());
  CHECK(a.answer() == "compromised");
  CHECK(world.ledger.acknowledge("n1", "seen", world.clock.now())->closed == 1);
  const auto [id, challenge] = b.link.challenges().back();
  const Bytes log = node.log_from(0);
  REQUIRE(world.sessions.on_quote(b.stream, id, node.quote(challenge.nonce)).has_value());
  REQUIRE(world.sessions.on_log_chunk(b.stream, id, log).has_value());
  REQUIRE(world.sessions.on_end(b.stream, id, {.log_bytes = log.size()}).has_value());
  REQUIRE(tick_until(world, [&] { return world.attempts.judged_count == 2; }));
  CHECK(a.next_answer() == "trusted");
  CHECK(world.store.violations({})->size() == 1);
}

TEST_CASE(
    "Sessions: a rule that warns is told of, and the node stays trusted, over a restart too") {
  Policy policy;
  policy.classes.push_back({.name = "all"});
  policy.classes[0].boot.secure_boot = SecureBootRule{};
  policy.classes[0].boot.log = Enforcement::kWarn;
  World world({}, policy);
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  CHECK(agent.answer() == "trusted");
  const auto listed = world.store.violations({});
  REQUIRE(listed->size() == 1);
  CHECK(listed->at(0).fault.id == FaultId::kBootLogMissing);
  CHECK(severity_of(listed->at(0).fault) == Severity::kWarning);
  CHECK(world.ledger.node("n1")->open_violations == 1);
  CHECK(agent.next_answer() == "trusted");

  Ledger again(world.store, {}, 90s);
  REQUIRE(again.load(world.clock.now()).has_value());
  CHECK(again.node("n1")->standing.state == NodeState::kTrusted);
  CHECK_FALSE(again.node("n1")->standing.has_open_violations);
  CHECK(world.ledger.acknowledge("n1", "known", world.clock.now())->closed == 1);
  CHECK(agent.next_answer() == "trusted");
  CHECK(world.store.violations({.open_only = true})->size() == 1);  // the boot was judged again
}
