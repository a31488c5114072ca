#include "tests/verifier/store/store_case.h"

#include <doctest/doctest.h>

namespace assay::testing {

StoreCase::StoreCase(std::vector<std::string> names) : sinks(std::move(names)) {
  reopen();
  const auto node = store->enrol_node("n1", ak, kNow);
  REQUIRE(node);
  node_id = node->id;
}

void StoreCase::reopen() {
  store.reset();
  auto opened = Store::open(path, sinks);
  REQUIRE_MESSAGE(opened, opened.error().detail);
  store = *std::move(opened);
}

void StoreCase::edit(const char* sql) {
  store.reset();
  auto database = Database::open(path);
  REQUIRE(database);
  REQUIRE(database->run_script(sql));
}

AttemptRecord StoreCase::attempt(NodeState state) const {
  return {.node = node_id,
          .at = kNow,
          .standing = {.state = state, .since = kNow, .last_verified = kNow},
          .checkpoint = LogCheckpoint{.entries = 3, .bytes = 200},
          .clock = TpmClock{.clock_ms = 1, .reset_count = 1}};
}

AttemptRecord StoreCase::findings(std::vector<Fault> faults) const {
  AttemptRecord out = attempt(NodeState::kCompromised);
  out.standing.has_open_violations = true;
  out.faults_total = faults.size();
  out.faults = std::move(faults);
  out.findings = true;
  return out;
}

NodeRecord StoreCase::node() {
  auto node = store->node("n1");
  REQUIRE_MESSAGE(node, node.error().detail);
  return *std::move(node);
}

std::vector<OutboxRecord> StoreCase::due(const std::string& sink, Instant now) {
  auto due = store->due_notifications(sink, now, 5000);
  REQUIRE(due);
  return *std::move(due);
}

Fault unknown_file(std::uint64_t entry, std::string path) {
  return {.id = FaultId::kImaUnknownDigest,
          .entry = entry,
          .path = std::move(path),
          .digest = Digest::filled(HashAlg::kSha256, 0xab),
          .detail = "in no golden set"};
}

bool same(const Fault& a, const Fault& b) {
  return a.id == b.id && a.entry == b.entry && a.path == b.path && a.digest == b.digest &&
         a.detail == b.detail;
}

}  // namespace assay::testing
