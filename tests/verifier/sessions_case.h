// The verifier's sessions with all that they work on, but no network and a clock that stands.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/simulated_node.h"
#include "tests/support/temp_dir.h"
#include "verifier/sessions/sessions.h"

namespace assay::testing {

using namespace std::chrono_literals;

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
  void identify() override {
    note([&] { ++identifies_; });
  }
  void send(const Credential& credential) override {
    note([&] { credentials_.push_back(credential); });
  }
  void close(const Fault& reason) override {
    note([&] { closed_.push_back(reason); });
  }

  bool wait_for_outcomes(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return outcomes_.size() >= count; });
  }

  bool wait_for_challenges(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return challenges_.size() >= count; });
  }

  int identifies() {
    const std::scoped_lock lock(mutex_);
    return identifies_;
  }
  std::vector<Credential> credentials() { return copy(credentials_); }
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
  int identifies_ = 0;
  std::vector<Credential> credentials_;
  std::vector<Sent> challenges_;
  std::vector<AttemptOutcome> outcomes_;
  std::vector<Fault> closed_;
};

class CountingSink final : public AttemptSink {
 public:
  void judged(const Appraisal&, std::chrono::nanoseconds) override {
    ++judged_count;
    if (on_judged) on_judged();
  }
  void rejected(const Fault& reason) override {
    const std::scoped_lock lock(mutex);
    rejections.push_back(reason.id);
  }
  void unanswered(const Fault&) override { ++unanswered_count; }
  void not_stored(const Fault&) override { ++not_stored_count; }
  std::function<void()> on_judged;  // set before anything is judged
  std::atomic<int> judged_count = 0;
  std::atomic<int> not_stored_count = 0;
  std::atomic<int> unanswered_count = 0;
  std::mutex mutex;
  std::vector<FaultId> rejections;
};

inline GoldenSnapshot golden_with(std::initializer_list<std::string_view> contents) {
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
  Policy policy;
  TrustedRoots roots;
  Enrolment enrolment{{ledger, policy.admission, roots, clock, fill_random}};
  GoldenIndex golden{1};
  CountingSink attempts;
  std::shared_ptr<const ClusterSnapshot> pods;  // null: nobody says
  Sessions sessions;

  explicit World(SessionSettings settings = {}, Policy with = {})
      : policy(std::move(with)),
        sessions({ledger, enrolment, policy, golden, clock, attempts, fill_random,
                  [this] { return pods; }},
                 settings) {
    golden.replace(golden_with({"good"}));
    REQUIRE(ledger.load(clock.now()).has_value());
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

// An agent on a stream of `world`.
struct Agent {
  World& world;
  SimulatedNode& node;
  RecordingLink link;
  StreamId stream;
  std::vector<HashAlg> banks = {};       // that it says its TPM keeps
  std::optional<PodClaims> claims = {};  // that its next answer holds

  Agent(World& w, SimulatedNode& n) : world(w), node(n), stream(*w.sessions.open(link)) {}
  ~Agent() { world.sessions.closed(stream); }

  // Says hello, and nothing more.
  Status greet() { return world.sessions.on_hello(stream, node.tpm().ak_public(), banks); }

  // Says hello, proves which node it is, and has its first challenge.
  Status hello() {
    ASSAY_OK(greet());
    ASSAY_OK(prove());
    REQUIRE(tick_until(world, [&] { return link.challenges().size() >= 2; }));
    return {};
  }

  Status prove() {
    const auto [id, challenge] = link.challenges().back();
    REQUIRE(challenge.quote_only);
    ASSAY_OK(world.sessions.on_quote(stream, id, node.quote(challenge)));
    return world.sessions.on_end(stream, id, {});
  }

  // Answers the newest challenge with `log`, or with what is asked for, and waits for its outcome.
  std::string answer(std::optional<Bytes> log = {}) {
    const std::size_t before = link.outcomes().size();
    give(log ? *log : node.log_from(link.challenges().back().challenge.first_byte));
    REQUIRE(link.wait_for_outcomes(before + 1));
    return std::string(node_state_name(link.outcomes().back().state));
  }

  // Answers the newest challenge with a `log` that does not go on where it should, and waits to be
  // asked for all of it.
  void answer_out_of_place(const Bytes& log) {
    const std::size_t before = link.challenges().size();
    give(log);
    REQUIRE(tick_until(world, [&] { return link.challenges().size() > before; }));
    CHECK(link.challenges().back().challenge.first_entry == 0);
    CHECK(link.challenges().back().challenge.first_byte == 0);
  }

  // Answers the newest challenge.
  void give(const Bytes& log) {
    const auto [id, challenge] = link.challenges().back();
    REQUIRE(world.sessions.on_quote(stream, id, node.quote(challenge)).has_value());
    if (!log.empty()) REQUIRE(world.sessions.on_log_chunk(stream, id, log).has_value());
    if (claims) {
      REQUIRE(world.sessions.on_pod_claims(stream, id, *std::exchange(claims, {})).has_value());
    }
    REQUIRE(world.sessions.on_end(stream, id, {.log_bytes = log.size()}).has_value());
  }

  // Lets the interval pass, and answers the challenge that it brings.
  std::string next_answer() {
    world.clock.advance(30s);
    world.sessions.tick();
    return answer();
  }
};

inline std::string state_of(World& world, std::string_view name) {
  return std::string(node_state_name(world.ledger.node(name)->standing.state));
}

struct EnrolledNode : SimulatedNode {
  explicit EnrolledNode(World& world, std::string_view name = "n1",
                        std::vector<HashAlg> banks = {HashAlg::kSha256},
                        HashAlg aggregate = HashAlg::kSha256)
      : SimulatedNode(std::move(banks), aggregate) {
    REQUIRE(world.ledger.enrol(name, tpm().ak(), world.clock.now()).has_value());
  }
};

}  // namespace assay::testing
