#include "verifier/store/outbox_rows.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/verifier/store/store_case.h"
#include "verifier/store/message.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::kNow;
using testing::later;
using testing::StoreCase;
using testing::unknown_file;

std::vector<Fault> unknown_files(std::uint64_t first, std::uint64_t count) {
  std::vector<Fault> out;
  for (std::uint64_t i = 0; i < count; ++i) out.push_back(unknown_file(first + i));
  return out;
}

std::vector<std::string> types(const std::vector<OutboxRecord>& records) {
  std::vector<std::string> out;
  for (const OutboxRecord& record : records) out.push_back(record.type);
  return out;
}

// Fills the node's part of the outbox: the change of state and 999 violations.
void fill(StoreCase& c) {
  REQUIRE(c.store->commit(c.findings(unknown_files(0, kMaxQueuedPerNode - 1))));
  REQUIRE(c.due().size() == kMaxQueuedPerNode);
}

OutboxRecord only_summary(StoreCase& c, Instant now = later(0)) {
  std::vector<OutboxRecord> found;
  for (OutboxRecord& record : c.due("hook", now)) {
    if (record.type == kViolationSummary) found.push_back(std::move(record));
  }
  REQUIRE(found.size() == 1);
  return found[0];
}

TEST_CASE("commit: a new violation and a new state are queued for each sink, and survive") {
  StoreCase c({"a", "b"});
  REQUIRE(c.store->commit(c.findings({unknown_file(5)})));
  c.reopen();
  for (const std::string sink : {"a", "b"}) {
    const auto due = c.due(sink);
    CHECK(types(due) ==
          std::vector<std::string>{"assay.node.state_changed", "assay.violation.detected"});
    CHECK(due[0].sink == sink);
    CHECK(due[0].attempts == 0);
    CHECK(due[0].next_attempt_at == kNow);
    CHECK(due[0].message_id.starts_with("msg_"));
    CHECK(due[0].message_id.size() == 36);
  }
  CHECK(c.store->queued_notifications() == 4);
}

TEST_CASE("commit: every message has an id of its own") {
  StoreCase c({"a", "b"});
  REQUIRE(c.store->commit(c.findings(unknown_files(0, 20))));
  std::set<std::string> ids;
  for (const std::string sink : {"a", "b"}) {
    for (const OutboxRecord& record : c.due(sink)) ids.insert(record.message_id);
  }
  CHECK(ids.size() == 42);
}

TEST_CASE("commit: what is known already is not announced again") {
  StoreCase c;
  REQUIRE(c.store->commit(c.findings({unknown_file(5)})));
  REQUIRE(c.store->commit(c.findings({unknown_file(5)})));
  REQUIRE(c.store->commit(c.attempt(NodeState::kCompromised)));
  CHECK(c.due().size() == 2);
}

TEST_CASE("set_standing: a change of state is announced, anything else is not") {
  StoreCase c;
  REQUIRE(c.store->set_standing(c.node_id, {.state = NodeState::kUnknown, .since = kNow}, kNow));
  CHECK(c.due().empty());
  const Standing stale{.state = NodeState::kStale, .since = kNow};
  REQUIRE(c.store->set_standing(c.node_id, stale, kNow));
  const auto due = c.due();
  REQUIRE(due.size() == 1);
  const json body = json::parse(due[0].payload);
  CHECK(body["data"]["from"] == "unknown");
  CHECK(body["data"]["to"] == "stale");
  c.reopen();
  CHECK(c.node().standing.state == NodeState::kStale);
}

TEST_CASE("acknowledge: the change of state is announced") {
  StoreCase c;
  REQUIRE(c.store->commit(c.findings({unknown_file(5)})));
  REQUIRE(c.store->acknowledge(c.node_id, {.state = NodeState::kUnknown, .since = kNow}, "", kNow));
  CHECK(json::parse(c.due().back().payload)["data"]["to"] == "unknown");
}

TEST_CASE("due_notifications: only what is due, the longest due first, no more than asked for") {
  StoreCase c;
  REQUIRE(c.store->commit(c.findings(unknown_files(0, 3))));
  CHECK(c.due("hook", kNow - std::chrono::milliseconds(1)).empty());
  CHECK(c.due("other").empty());
  const auto first = c.due();
  REQUIRE(first.size() == 4);
  REQUIRE(c.store->notification_failed(first[0].id, later(60), "no answer"));
  const auto second = c.due("hook", later(59));
  REQUIRE(second.size() == 3);
  CHECK(second[0].id == first[1].id);
  const auto third = c.due("hook", later(60));
  REQUIRE(third.size() == 4);
  CHECK(third[3].id == first[0].id);
  CHECK(third[3].attempts == 1);
  CHECK(third[3].message_id == first[0].message_id);
  CHECK(third[3].payload == first[0].payload);
  CHECK(c.store->due_notifications("hook", later(60), 2)->size() == 2);
}

TEST_CASE("next_notification_due: the earliest, and nothing when none waits") {
  StoreCase c;
  CHECK(*c.store->next_notification_due("hook") == std::nullopt);
  REQUIRE(c.store->commit(c.attempt(NodeState::kTrusted)));
  CHECK(*c.store->next_notification_due("hook") == kNow);
  REQUIRE(c.store->notification_failed(c.due()[0].id, later(60), ""));
  CHECK(*c.store->next_notification_due("hook") == later(60));
}

TEST_CASE("notification_delivered: the row is gone, and a second time is no fault") {
  StoreCase c;
  REQUIRE(c.store->commit(c.attempt(NodeState::kTrusted)));
  const OutboxId id = c.due()[0].id;
  REQUIRE(c.store->notification_delivered(id));
  CHECK(c.store->notification_delivered(id));
  CHECK(c.store->notification_failed(id, later(1), ""));
  CHECK(c.store->queued_notifications() == 0);
  c.reopen();
  CHECK(c.due().empty());
}

TEST_CASE("queued_notifications: a sink that is configured no more is left alone") {
  StoreCase c({"gone"});
  REQUIRE(c.store->commit(c.attempt(NodeState::kTrusted)));
  c.sinks = {"hook"};
  c.reopen();
  CHECK(c.store->queued_notifications() == 0);
  c.sinks = {"gone"};
  c.reopen();
  CHECK(c.store->queued_notifications() == 1);
}

TEST_CASE("commit: over the bound of a node, violations are counted in one summary") {
  StoreCase c;
  fill(c);
  REQUIRE(c.store->commit(c.findings(unknown_files(2000, 3))));
  AttemptRecord more = c.findings(unknown_files(3000, 4));
  more.at = later(1);
  REQUIRE(c.store->commit(more));
  REQUIRE(c.store->set_standing(c.node_id, {.state = NodeState::kStale, .since = kNow}, later(2)));
  CHECK(c.store->queued_notifications() == kMaxQueuedPerNode + 1);

  c.reopen();
  const json data = json::parse(only_summary(c).payload)["data"];
  CHECK(data["node"] == "n1");
  CHECK(data["violations"] == 7);
  CHECK(data["state_changes"] == 1);
  CHECK(data["state"] == "stale");
  CHECK(data["since"] == format_rfc3339(kNow));
}

TEST_CASE("commit: a summary that changes is a new message, which waits as long as the old one") {
  StoreCase c;
  fill(c);
  REQUIRE(c.store->commit(c.findings(unknown_files(2000, 1))));
  const OutboxRecord on_its_way = only_summary(c);
  REQUIRE(c.store->notification_failed(on_its_way.id, later(60), "no answer"));
  REQUIRE(c.store->commit(c.findings(unknown_files(3000, 1))));
  const OutboxRecord changed = only_summary(c, later(60));
  CHECK(changed.message_id != on_its_way.message_id);
  CHECK(changed.attempts == 1);
  CHECK(changed.next_attempt_at == later(60));
  // The receiver got the old one: the new one is still to be sent, since it says more.
  REQUIRE(c.store->notification_delivered(on_its_way.id));
  CHECK(json::parse(only_summary(c, later(60)).payload)["data"]["violations"] == 2);
}

TEST_CASE("commit: one node's flood takes no other node's room") {
  StoreCase c;
  const auto other = c.store->enrol_node("n2", testing::FakeTpm().ak(), kNow);
  fill(c);
  AttemptRecord theirs = c.findings(unknown_files(0, 1));
  theirs.node = other->id;
  REQUIRE(c.store->commit(theirs));
  CHECK(c.store->queued_notifications() == kMaxQueuedPerNode + 2);
}

TEST_CASE("commit: violations that a verdict only counts are announced by number") {
  StoreCase c;
  AttemptRecord attempt = c.findings({unknown_file(5)});
  attempt.faults_total = 41;
  CHECK(c.store->commit(attempt) == 41);
  CHECK(json::parse(only_summary(c).payload)["data"]["violations"] == 40);
}

}  // namespace
}  // namespace assay
