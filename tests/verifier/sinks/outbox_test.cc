#include "verifier/sinks/outbox.h"

#include <doctest/doctest.h>

#include <atomic>

#include "tests/support/child_process.h"
#include "tests/support/fake_clock.h"
#include "tests/verifier/sinks/receiver.h"
#include "tests/verifier/store/store_case.h"
#include "verifier/guarded.h"
#include "verifier/sinks/webhook.h"

namespace assay {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::eventually;
using testing::FakeClock;
using testing::Receiver;
using testing::StoreCase;
using testing::unknown_file;

// Remembers what it was given; fails as often as it is told.
class FakeSink final : public NotificationSink {
 public:
  struct Script {
    std::atomic<int> failures = 0;    // so many deliveries fail
    std::atomic<bool> hangs = false;  // deliver() waits for the stop
    std::optional<seconds> retry_after = {};
    std::string refused_id = {};  // a message that never gets through
    Guarded<std::vector<OutboxRecord>> tried = {};

    std::size_t tries() const {
      return tried.with([](const auto& records) { return records.size(); });
    }
    OutboxRecord at(std::size_t i) const {
      return tried.with([&](const auto& records) { return records.at(i); });
    }
  };
  FakeSink(std::string name, Script& script) : name_(std::move(name)), script_(script) {}

  const std::string& name() const override { return name_; }
  Delivery deliver(const OutboxRecord& record, Instant, const std::stop_token& stop) override {
    script_.tried.with([&](auto& records) { records.push_back(record); });
    if (script_.hangs) {
      std::mutex mutex;
      std::condition_variable_any never;
      std::unique_lock lock(mutex);
      never.wait(lock, stop, [] { return false; });
    }
    if (script_.hangs || record.message_id == script_.refused_id || script_.failures > 0) {
      --script_.failures;
      return tl::unexpected(DeliveryFailure{.why = "no", .retry_after = script_.retry_after});
    }
    return {};
  }

 private:
  std::string name_;
  Script& script_;
};

class CountingWatcher final : public DeliveryWatcher {
 public:
  void sent(std::string_view) override { ++sent_count; }
  void failed(std::string_view, const DeliveryFailure&) override { ++failed_count; }
  void queue_length(std::uint64_t notifications) override {
    queued = notifications;
    ++looks;
  }
  void store_failed(const Fault& fault) override {
    CHECK(fault.id == FaultId::kStoreFailed);
    ++store_failures;
  }

  std::atomic<int> sent_count = 0;
  std::atomic<int> failed_count = 0;
  std::atomic<int> store_failures = 0;
  std::atomic<int> looks = 0;  // every pass over the outbox begins with one
  std::atomic<std::uint64_t> queued = 99;
};

struct OutboxCase {
  explicit OutboxCase(std::vector<std::string> names = {"hook"}) : c(std::move(names)) {
    clock.advance(seconds(10));  // what the store queues at kNow is due
  }

  void start() {
    std::vector<std::unique_ptr<NotificationSink>> sinks;
    for (std::size_t i = 0; i < c.sinks.size(); ++i) {
      sinks.push_back(std::make_unique<FakeSink>(c.sinks[i], scripts[i]));
    }
    dispatcher.emplace(OutboxDispatcher::World{*c.store, clock, watcher}, std::move(sinks));
  }

  // Wakes the dispatcher until it has looked through the outbox at least once from now on.
  void look_again() {
    for (int i = 0; i < 2; ++i) {
      const int before = watcher.looks + watcher.store_failures;
      dispatcher->wake();
      REQUIRE(eventually([&] { return watcher.looks + watcher.store_failures > before; }));
    }
  }

  StoreCase c;
  FakeClock clock;
  CountingWatcher watcher;
  FakeSink::Script scripts[2];
  FakeSink::Script& script = scripts[0];
  std::optional<OutboxDispatcher> dispatcher;  // last: it uses all of the above
};

TEST_CASE("retry_delay: doubles from 5 s to an hour, less up to a fifth") {
  CHECK(retry_delay(1, 0) == seconds(5));
  CHECK(retry_delay(2, 0) == seconds(10));
  CHECK(retry_delay(5, 0) == seconds(80));
  CHECK(retry_delay(10, 0) == seconds(2560));
  for (const std::uint32_t failures : {11U, 12U, 100U, ~0U}) {
    CHECK(retry_delay(failures, 0) == seconds(3600));
  }
  CHECK(retry_delay(0, 0) == seconds(5));
  for (std::uint64_t random = 0; random < 10'000; random += 7) {
    CHECK(retry_delay(1, random) >= seconds(4));
    CHECK(retry_delay(1, random) <= seconds(5));
  }
  CHECK(retry_delay(1, 1000) == seconds(4));
  CHECK(retry_delay(11, ~std::uint64_t{0}) >= seconds(2880));
}

TEST_CASE("OutboxDispatcher: what waits at the start is sent in order, and forgotten") {
  OutboxCase o;
  std::vector<Fault> faults;
  for (std::uint64_t i = 0; i < 100; ++i) faults.push_back(unknown_file(i));
  REQUIRE(o.c.store->commit(o.c.findings(faults)));
  const auto due = o.c.due();
  o.start();
  REQUIRE(eventually([&] { return o.watcher.sent_count == 101 && o.watcher.queued == 0; }));
  for (std::size_t i = 0; i < due.size(); ++i) CHECK(o.script.at(i).id == due[i].id);
  CHECK(o.script.tries() == 101);
  CHECK(o.watcher.failed_count == 0);
}

TEST_CASE("OutboxDispatcher: what is added later is sent as soon as it is told") {
  OutboxCase o;
  o.start();
  REQUIRE(eventually([&] { return o.watcher.queued == 0; }));
  REQUIRE(o.c.store->commit(o.c.findings({unknown_file(1)})));
  o.dispatcher->wake();
  CHECK(eventually([&] { return o.watcher.sent_count == 2; }));
}

TEST_CASE(
    "OutboxDispatcher: a failure is tried again when its time has come, as the same message") {
  OutboxCase o;
  o.script.failures = 2;
  REQUIRE(o.c.store->commit(o.c.attempt(NodeState::kTrusted)));
  o.start();
  REQUIRE(eventually([&] { return o.watcher.failed_count == 1; }));
  o.clock.advance(milliseconds(3'999));
  o.look_again();
  CHECK(o.script.tries() == 1);
  o.clock.advance(milliseconds(1'001));
  o.dispatcher->wake();
  REQUIRE(eventually([&] { return o.watcher.failed_count == 2; }));
  o.clock.advance(milliseconds(7'999));
  o.look_again();
  CHECK(o.script.tries() == 2);
  o.clock.advance(milliseconds(2'001));
  o.dispatcher->wake();
  REQUIRE(eventually([&] { return o.watcher.sent_count == 1 && o.watcher.queued == 0; }));
  CHECK(o.script.at(2).message_id == o.script.at(0).message_id);
  CHECK(o.script.at(2).payload == o.script.at(0).payload);
  CHECK(o.script.at(2).attempts == 2);
}

TEST_CASE("OutboxDispatcher: while a sink fails, one message tries it and the others wait") {
  OutboxCase o;
  o.script.failures = 1;
  REQUIRE(o.c.store->commit(o.c.findings({unknown_file(1), unknown_file(2)})));
  o.start();
  REQUIRE(eventually([&] { return o.watcher.failed_count == 1; }));
  o.look_again();
  CHECK(o.script.tries() == 1);
  CHECK(o.watcher.queued == 3);
}

TEST_CASE("OutboxDispatcher: a sink is tried again within a minute, however long it was down") {
  OutboxCase o;
  o.script.failures = 1000;
  std::vector<Fault> faults;
  for (std::uint64_t i = 0; i < 30; ++i) faults.push_back(unknown_file(i));
  REQUIRE(o.c.store->commit(o.c.findings(faults)));
  o.start();
  for (int i = 1; i <= 20; ++i) {
    REQUIRE(eventually([&] { return o.watcher.failed_count == i; }));
    o.clock.advance(seconds(60));
    o.dispatcher->wake();
  }
}

TEST_CASE("OutboxDispatcher: a message that never gets through does not hold up the others") {
  OutboxCase o;
  REQUIRE(o.c.store->commit(o.c.findings({unknown_file(1), unknown_file(2)})));
  o.script.refused_id = o.c.due()[0].message_id;
  o.start();
  REQUIRE(eventually([&] { return o.watcher.failed_count == 1; }));
  o.clock.advance(seconds(5));
  o.dispatcher->wake();
  CHECK(eventually([&] { return o.watcher.sent_count == 2; }));
}

TEST_CASE("OutboxDispatcher: the pause that a receiver asks for is kept, up to an hour") {
  for (const auto& [asked, kept] :
       {std::pair(seconds(300), seconds(300)), std::pair(seconds(100'000), seconds(3600))}) {
    OutboxCase o;
    o.script.failures = 1;
    o.script.retry_after = asked;
    REQUIRE(o.c.store->commit(o.c.attempt(NodeState::kTrusted)));
    o.start();
    REQUIRE(eventually([&] { return o.watcher.failed_count == 1; }));
    o.clock.advance(kept - milliseconds(1));
    o.look_again();
    CHECK(o.script.tries() == 1);
    o.clock.advance(milliseconds(1));
    o.dispatcher->wake();
    CHECK(eventually([&] { return o.watcher.sent_count == 1; }));
  }
}

TEST_CASE("OutboxDispatcher: a sink that hangs does not delay another") {
  OutboxCase o({"bad", "good"});
  o.scripts[0].hangs = true;
  REQUIRE(o.c.store->commit(o.c.findings({unknown_file(1)})));
  o.start();
  CHECK(eventually([&] { return o.watcher.sent_count == 2; }));
  CHECK(o.scripts[1].tries() == 2);
}

TEST_CASE("OutboxDispatcher: its end interrupts a sink that hangs, and holds nothing against it") {
  OutboxCase o;
  o.script.hangs = true;
  REQUIRE(o.c.store->commit(o.c.attempt(NodeState::kTrusted)));
  o.start();
  REQUIRE(eventually([&] { return o.script.tries() == 1; }));
  o.dispatcher.reset();
  CHECK(o.watcher.failed_count == 0);
  REQUIRE(o.c.due().size() == 1);
  CHECK(o.c.due()[0].attempts == 0);
}

TEST_CASE("OutboxDispatcher: what a full store cannot forget is not sent a second time") {
  OutboxCase o;
  REQUIRE(o.c.store->commit(o.c.attempt(NodeState::kTrusted)));
  o.c.edit("CREATE TRIGGER no_room BEFORE DELETE ON outbox BEGIN SELECT raise(ABORT, 'no'); END");
  o.c.reopen();
  o.start();
  REQUIRE(eventually([&] { return o.watcher.store_failures > 0; }));
  o.look_again();
  CHECK(o.script.tries() == 1);
  CHECK(o.watcher.sent_count == 1);
}

TEST_CASE("OutboxDispatcher: a receiver that fails and recovers gets every message, verifiably") {
  OutboxCase o;
  Receiver receiver;
  receiver.answer_with({Receiver::status(500), Receiver::status(503)});
  REQUIRE(o.c.store->commit(o.c.findings({unknown_file(1)})));
  const Bytes secret(32, 0x11);
  std::vector<std::unique_ptr<NotificationSink>> sinks;
  auto sink = WebhookSink::create({.name = "hook", .url = receiver.url(), .secret = secret});
  REQUIRE(sink);
  sinks.push_back(*std::move(sink));
  o.dispatcher.emplace(OutboxDispatcher::World{*o.c.store, o.clock, o.watcher}, std::move(sinks));
  for (int failed = 1; failed <= 2; ++failed) {
    REQUIRE(eventually([&] { return o.watcher.failed_count == failed; }));
    o.clock.advance(seconds(20));
    o.dispatcher->wake();
  }
  REQUIRE(eventually([&] { return o.watcher.sent_count == 2 && o.watcher.queued == 0; }));
  o.dispatcher.reset();
  std::map<std::string, std::string> bodies;
  for (const httplib::Request& request : receiver.requests()) {
    const std::string id = request.get_header_value("webhook-id");
    const std::int64_t timestamp = std::stoll(request.get_header_value("webhook-timestamp"));
    CHECK(bodies.try_emplace(id, request.body).first->second == request.body);
    CHECK(request.get_header_value("webhook-signature") ==
          sign_webhook(secret, {.id = id, .timestamp_seconds = timestamp, .body = request.body}));
  }
  CHECK(receiver.requests().size() == 4);
  CHECK(bodies.size() == 2);
}

}  // namespace
}  // namespace assay
