#include "verifier/sessions/sessions.h"

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "tests/support/fake_clock.h"
#include "tests/support/simulated_node.h"
#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;
using namespace std::chrono_literals;

namespace {

// What one agent's stream was told. Waits for what workers do with a deadline.
class RecordingLink final : public AgentLink {
 public:
  struct Sent {
    std::uint64_t id;
    Challenge challenge;
  };

  void send(std::uint64_t id, const Challenge& challenge) override {
    note([&] { challenges_.push_back({id, challenge}); });
  }
  void send(const AttemptOutcome& outcome) override {
    note([&] { outcomes_.push_back(outcome); });
  }
  void close(const Fault& reason) override {
    note([&] { closed_.push_back(reason); });
  }

  bool wait_for_outcomes(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return outcomes_.size() >= count; });
  }

  std::vector<Sent> challenges() { return copy(challenges_); }
  std::vector<AttemptOutcome> outcomes() { return copy(outcomes_); }
  std::vector<Fault> closed() { return copy(closed_); }

  bool wait_for_close() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return !closed_.empty(); });
  }

 private:
  template <typename T>
  std::vector<T> copy(const std::vector<T>& from) {
    const std::scoped_lock lock(mutex_);
    return from;
  }
  template <typename Change>
  void note(const Change& change) {
    {
      const std::scoped_lock lock(mutex_);
      change();
    }
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Sent> challenges_;
  std::vector<AttemptOutcome> outcomes_;
  std::vector<Fault> closed_;
};

class CountingSink final : public AttemptSink {
 public:
  void judged(const Appraisal&, std::chrono::nanoseconds) override { ++judged_count; }
  void rejected(const Fault& reason) override {
    const std::scoped_lock lock(mutex);
    rejections.push_back(reason.id);
  }
  void unanswered(const Fault&) override { ++unanswered_count; }
  void not_stored(const Fault&) override { ++not_stored_count; }
  std::atomic<int> judged_count = 0;
  std::atomic<int> not_stored_count = 0;
  std::atomic<int> unanswered_count = 0;
  std::mutex mutex;
  std::vector<FaultId> rejections;
};

GoldenSnapshot golden_with(std::initializer_list<std::string_view> contents) {
  GoldenSnapshot::Builder builder;
  const auto set = builder.add_set("host");
  for (const std::string_view content : contents) builder.add(set, digest_of(content));
  return std::move(builder).build();
}

// A verifier without network: store, ledger and sessions over a clock that stands.
struct World {
  TempDir dir;
  FakeClock clock;
  Store store = Store::open(dir.path() / "assay.db", {}).value();
  Ledger ledger{store, {}, 90s};
  GoldenIndex golden;
  CountingSink attempts;
  Sessions sessions;

  explicit World(SessionSettings settings = {})
      : sessions({ledger, golden, clock, attempts, fresh_nonce}, settings) {
    golden.replace(golden_with({"good"}));
    REQUIRE(ledger.load(clock.now()).has_value());
  }
};

// An agent on a stream of `world`.
struct Agent {
  World& world;
  SimulatedNode& node;
  RecordingLink link;
  StreamId stream;

  Agent(World& w, SimulatedNode& n) : world(w), node(n), stream(*w.sessions.open(link)) {}
  ~Agent() { world.sessions.closed(stream); }

  Status hello() { return world.sessions.on_hello(stream, node.tpm().ak_public()); }

  // Answers the newest challenge with `log`, or with what is asked for, and waits for its outcome.
  std::string answer(std::optional<Bytes> log = {}) {
    const auto [id, challenge] = link.challenges().back();
    const std::size_t before = link.outcomes().size();
    const Bytes part = log ? *log : node.log_from(challenge.first_byte);
    REQUIRE(world.sessions.on_quote(stream, id, node.quote(challenge.nonce)).has_value());
    if (!part.empty()) REQUIRE(world.sessions.on_log_chunk(stream, id, part).has_value());
    REQUIRE(world.sessions.on_end(stream, id, part.size()).has_value());
    REQUIRE(link.wait_for_outcomes(before + 1));
    return std::string(node_state_name(link.outcomes().back().state));
  }

  // Lets the interval pass, and answers the challenge that it brings.
  std::string next_answer() {
    world.clock.advance(30s);
    world.sessions.tick();
    return answer();
  }
};

// Ticks until `happened`, for 20 seconds at most.
template <typename Condition>
bool tick_until(World& world, const Condition& happened) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!happened() && std::chrono::steady_clock::now() < deadline) {
    world.sessions.tick();
    std::this_thread::yield();
  }
  return happened();
}

std::string state_of(World& world, std::string_view name) {
  return std::string(node_state_name(world.ledger.node(name)->standing.state));
}

struct EnrolledNode : SimulatedNode {
  explicit EnrolledNode(World& world, std::string_view name = "n1") {
    REQUIRE(world.ledger.enrol(name, tpm().ak(), world.clock.now()).has_value());
  }
};

}  // namespace

TEST_CASE(
    "Sessions: a node that runs golden files only becomes trusted, and stays so by new evidence") {
  World world;
  EnrolledNode node(world);
  node.run("/bin/good", "good");
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  CHECK(state_of(world, "n1") == "unknown");
  world.sessions.tick();
  REQUIRE(agent.link.challenges().size() == 1);
  CHECK(agent.link.challenges()[0].challenge.first_entry == 0);
  CHECK(agent.answer() == "trusted");
  CHECK(agent.next_answer() == "trusted");
  CHECK(agent.link.challenges()[1].challenge.first_entry == 2);
  CHECK(world.ledger.node("n1")->checkpoint.entries == 2);
  CHECK(world.sessions.connected(world.ledger.node("n1")->id));
}

TEST_CASE(
    "Sessions: an unknown file compromises once, and its violation stays open until acknowledged") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  world.sessions.tick();
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
  world.sessions.tick();
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
  world.sessions.tick();
  agent.answer();
  REQUIRE(world.sessions.on_hint(agent.stream).has_value());
  world.sessions.tick();
  CHECK(agent.link.challenges().size() == 1);
  world.clock.advance(250ms);
  world.sessions.tick();
  CHECK(agent.link.challenges().size() == 2);
}

TEST_CASE("Sessions: after a reboot the whole log is asked for, at once") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  world.sessions.tick();
  agent.answer();
  node.run("/tmp/evil", "evil");
  CHECK(agent.next_answer() == "compromised");
  node.reboot();
  world.clock.advance(30s);
  world.sessions.tick();
  const auto asked = agent.link.challenges().size();
  const auto [id, challenge] = agent.link.challenges().back();
  CHECK(challenge.first_entry == 2);
  REQUIRE(world.sessions.on_quote(agent.stream, id, node.quote(challenge.nonce)).has_value());
  REQUIRE(world.sessions.on_end(agent.stream, id, 0).has_value());
  CHECK(tick_until(world, [&] { return agent.link.challenges().size() > asked; }));
  CHECK(agent.link.challenges().back().challenge.first_entry == 0);
  CHECK(agent.answer() == "trusted");
  CHECK(world.ledger.node("n1")->boot == 1);
  CHECK(world.ledger.node("n1")->open_violations == 0);
  CHECK(world.store.violations({})->at(0).status == ViolationStatus::kClosed);
}

TEST_CASE("Sessions: a log shorter than the checkpoint is tampering") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  world.sessions.tick();
  agent.answer();
  node.run("/bin/good", "good");
  world.clock.advance(30s);
  world.sessions.tick();
  CHECK(agent.answer(Bytes{}) == "compromised");
  CHECK(agent.link.outcomes().back().first_fault == "ima.log_truncated");
}

TEST_CASE(
    "Sessions: garbage instead of a log is rejected, kept as the reason, and changes no verdict") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  world.sessions.tick();
  agent.answer();
  world.clock.advance(30s);
  world.sessions.tick();
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
  world.sessions.tick();
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
  world.sessions.tick();
  CHECK(agent.answer() == "unknown");
  CHECK(world.ledger.node("n1")->last_rejection->id == FaultId::kGoldenNone);
  world.golden.replace(golden_with({"good"}));
  CHECK(agent.next_answer() == "compromised");
}

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

TEST_CASE("Sessions: a key that nobody enrolled is refused and counted") {
  World world;
  SimulatedNode stranger;
  Agent agent(world, stranger);
  const Status got = agent.hello();
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().id == FaultId::kAkUnknown);
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
  CHECK(impostor.link.closed()[0].id == FaultId::kUnavailable);
  CHECK(real.link.closed().empty());
}

TEST_CASE("Sessions: an agent that refuses is heard, and its node is asked again") {
  World world;
  EnrolledNode node(world);
  Agent agent(world, node);
  REQUIRE(agent.hello().has_value());
  world.sessions.tick();
  REQUIRE(world.sessions.on_refusal(agent.stream, agent.link.challenges()[0].id, "no \x1b[31mTPM")
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
  world.sessions.tick();
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
  CHECK(late.get().error().id == FaultId::kUnavailable);

  auto ended = answered("n1", world.clock.now() + 5s);
  world.sessions.end_waiting();
  REQUIRE(ended.wait_for(0s) == std::future_status::ready);
  CHECK(ended.get().error().id == FaultId::kUnavailable);
  CHECK(answered("nobody", world.clock.now()).get().error().id == FaultId::kNotFound);
}

TEST_CASE("Sessions: two answers on one basis count once") {
  World world;
  EnrolledNode node(world);
  node.run("/tmp/evil", "evil");
  Agent a(world, node);
  Agent b(world, node);
  REQUIRE(a.hello().has_value());
  REQUIRE(b.hello().has_value());
  world.sessions.tick();
  CHECK(a.answer() == "compromised");
  CHECK(world.ledger.acknowledge("n1", "seen", world.clock.now())->closed == 1);
  const auto [id, challenge] = b.link.challenges().back();
  const Bytes log = node.log_from(0);
  REQUIRE(world.sessions.on_quote(b.stream, id, node.quote(challenge.nonce)).has_value());
  REQUIRE(world.sessions.on_log_chunk(b.stream, id, log).has_value());
  REQUIRE(world.sessions.on_end(b.stream, id, log.size()).has_value());
  REQUIRE(tick_until(world, [&] { return world.attempts.judged_count == 2; }));
  CHECK(a.next_answer() == "trusted");
  CHECK(world.store.violations({})->size() == 1);
}
