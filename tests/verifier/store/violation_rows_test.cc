#include "verifier/store/violation_rows.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"
#include "tests/verifier/store/store_case.h"

namespace assay {
namespace {

using testing::fault_of;
using testing::kNow;
using testing::later;
using testing::same;
using testing::StoreCase;
using testing::unknown_file;

std::vector<ViolationRecord> listed(StoreCase& c, const Store::ViolationQuery& query = {}) {
  auto violations = c.store->violations(query);
  REQUIRE_MESSAGE(violations, violations.error().detail);
  return *std::move(violations);
}

std::vector<Fault> unknown_files(std::uint64_t first, std::uint64_t count) {
  std::vector<Fault> out;
  for (std::uint64_t i = 0; i < count; ++i) out.push_back(unknown_file(first + i));
  return out;
}

TEST_CASE("commit: faults of a guilty node are open violations after a restart") {
  StoreCase c;
  const Fault fault = unknown_file(5, std::string("/a\0\xff\n'", 6));
  CHECK(c.store->commit(c.findings({fault, unknown_file(6)})) == 2);
  c.reopen();
  const auto violations = listed(c);
  REQUIRE(violations.size() == 2);
  const ViolationRecord& older = violations[1];
  CHECK(same(older.fault, fault));
  CHECK(older.node == "n1");
  CHECK(older.boot == 0);
  CHECK(older.detected_at == kNow);
  CHECK(older.status == ViolationStatus::kOpen);
  CHECK_FALSE(older.closed_at);
  CHECK(same(c.store->violation(older.id)->fault, fault));
  CHECK(c.node().open_violations == 2);
}

TEST_CASE("commit: faults of a node that is not guilty are no violations") {
  StoreCase c;
  AttemptRecord attempt = c.findings({unknown_file(5)});
  attempt.findings = false;
  CHECK(c.store->commit(attempt) == 0);
  CHECK(listed(c).empty());
}

TEST_CASE("commit: a violation that is open already is not written again") {
  StoreCase c;
  const Fault no_entry{.id = FaultId::kImaPcrMismatch, .detail = "first"};
  CHECK(c.store->commit(c.findings({unknown_file(5), no_entry})) == 2);
  Fault reworded = no_entry;
  reworded.detail = "second";
  CHECK(c.store->commit(c.findings({unknown_file(5, "/other"), reworded, unknown_file(6)})) == 1);
  CHECK(listed(c).size() == 3);
}

TEST_CASE("acknowledge: closes what is open, keeps the reason, and lets it be found anew") {
  StoreCase c;
  REQUIRE(c.store->commit(c.findings({unknown_file(5), unknown_file(6)})));
  const Standing after{.state = NodeState::kUnknown, .since = later(9)};
  CHECK(c.store->acknowledge(c.node_id, after, "known tool", later(9)) == 2);
  c.reopen();
  CHECK(c.node().open_violations == 0);
  CHECK(c.node().standing.state == NodeState::kUnknown);
  CHECK(c.node().faults.empty());
  CHECK(c.node().faults_total == 0);
  const auto violation = listed(c).front();
  CHECK(violation.status == ViolationStatus::kAcknowledged);
  CHECK(violation.closed_at == later(9));
  CHECK(violation.acknowledgement == "known tool");
  CHECK(c.store->acknowledge(c.node_id, after, "again", later(10)) == 0);
  CHECK(listed(c).front().acknowledgement == "known tool");
  CHECK(c.store->commit(c.findings({unknown_file(5)})) == 1);
}

TEST_CASE("commit: a reboot closes violations of earlier boots, and its own stay open") {
  StoreCase c;
  REQUIRE(c.store->commit(c.findings({unknown_file(5)})));
  AttemptRecord reboot = c.findings({unknown_file(5)});
  reboot.rebooted = true;
  reboot.at = later(60);
  CHECK(c.store->commit(reboot) == 1);
  const auto violations = listed(c);
  REQUIRE(violations.size() == 2);
  CHECK(violations[0].status == ViolationStatus::kOpen);
  CHECK(violations[0].boot == 1);
  CHECK(violations[1].status == ViolationStatus::kClosed);
  CHECK(violations[1].closed_at == later(60));
  CHECK(violations[1].acknowledgement == "reboot");
  CHECK(violations[1].boot == 0);
}

TEST_CASE("commit: another node's violations are its own") {
  StoreCase c;
  const auto other = c.store->enrol_node("n2", testing::FakeTpm().ak(), kNow);
  REQUIRE(other);
  REQUIRE(c.store->commit(c.findings({unknown_file(5)})));
  AttemptRecord second = c.findings({unknown_file(5)});
  second.node = other->id;
  CHECK(c.store->commit(second) == 1);
  CHECK(c.store->acknowledge(other->id, {}, "", kNow) == 1);
  CHECK(c.node().open_violations == 1);
}

TEST_CASE("violations: the newest first, by node, by page, and open ones only") {
  StoreCase c;
  const auto other = c.store->enrol_node("n2", testing::FakeTpm().ak(), kNow);
  REQUIRE(c.store->commit(c.findings(unknown_files(0, 3))));
  AttemptRecord theirs = c.findings(unknown_files(0, 2));
  theirs.node = other->id;
  REQUIRE(c.store->commit(theirs));
  REQUIRE(c.store->acknowledge(other->id, {}, "", kNow));

  CHECK(listed(c).size() == 5);
  CHECK(listed(c, {.node = "n1"}).size() == 3);
  CHECK(listed(c, {.open_only = true}).size() == 3);
  CHECK(listed(c, {.node = "n2", .open_only = true}).empty());
  const auto page = listed(c, {.node = "n1", .limit = 2});
  REQUIRE(page.size() == 2);
  CHECK(page[0].fault.entry == 2);
  const auto rest =
      listed(c, {.node = "n1", .before_id = static_cast<std::uint64_t>(page[1].id), .limit = 2});
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].fault.entry == 0);
}

TEST_CASE("violations: a node or number that is not there is not found") {
  StoreCase c;
  CHECK(fault_of(c.store->violations({.node = "n2"})) == FaultId::kNotFound);
  CHECK(fault_of(c.store->violation(ViolationId{1})) == FaultId::kNotFound);
}

TEST_CASE("violations: one answer has a bound, whatever was asked for") {
  StoreCase c;
  REQUIRE(c.store->commit(c.findings(unknown_files(0, 1100))));
  CHECK(listed(c, {.limit = 1'000'000}).size() == kMaxViolationsListed);
}

TEST_CASE("violations: a status that no version wrote is refused") {
  StoreCase c;
  REQUIRE(c.store->commit(c.findings({unknown_file(5)})));
  c.edit("PRAGMA ignore_check_constraints = ON; UPDATE violations SET status = 'gone'");
  c.reopen();
  const auto violations = c.store->violations({});
  REQUIRE_FALSE(violations);
  CHECK(violations.error().id == FaultId::kStoreFailed);
}

TEST_CASE("open_violations_by_fault: counts open ones by id") {
  StoreCase c;
  REQUIRE(c.store->commit(
      c.findings({unknown_file(1), unknown_file(2), {.id = FaultId::kImaViolation, .entry = 3}})));
  const auto counts = c.store->open_violations_by_fault();
  REQUIRE(counts);
  REQUIRE(counts->size() == 2);
  CHECK((*counts)[0] == std::pair<std::string, std::uint64_t>("ima.unknown_digest", 2));
  CHECK((*counts)[1] == std::pair<std::string, std::uint64_t>("ima.violation", 1));
  REQUIRE(c.store->acknowledge(c.node_id, {}, "", kNow));
  CHECK(c.store->open_violations_by_fault()->empty());
}

TEST_CASE("commit: over the bound violations are counted, not listed, and never lost silently") {
  StoreCase c;
  for (std::uint64_t i = 0; i < kMaxOpenViolations; i += 1000) {
    CHECK(c.store->commit(c.findings(unknown_files(i, 1000))) == 1000);
  }
  // One is open already, two are new.
  CHECK(c.store->commit(c.findings(unknown_files(kMaxOpenViolations - 1, 3))) == 2);
  c.reopen();
  CHECK(c.node().open_violations == kMaxOpenViolations + 2);
  CHECK(listed(c, {.limit = 1}).front().fault.entry == kMaxOpenViolations - 1);
  CHECK(c.store->acknowledge(c.node_id, {}, "", kNow) == kMaxOpenViolations + 2);
  CHECK(c.node().open_violations == 0);
}

}  // namespace
}  // namespace assay
