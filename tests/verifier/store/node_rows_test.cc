#include "verifier/store/node_rows.h"

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

LogCheckpoint checkpoint_of_two_banks() {
  LogCheckpoint checkpoint{.entries = 57, .bytes = 12'345};
  for (const HashAlg bank : {HashAlg::kSha256, HashAlg::kSha384}) {
    checkpoint.running.emplace(PcrSlot{bank, kImaPcr}, Digest::filled(bank, 1));
    checkpoint.running.emplace(PcrSlot{bank, PcrIndex::of<11>()}, Digest::filled(bank, 2));
  }
  checkpoint.last_record = Digest::filled(HashAlg::kSha256, 7);
  return checkpoint;
}

TEST_CASE("enrol_node: a new node is unknown, and found by name and by key") {
  StoreCase c;
  const auto by_key = c.store->node_by_ak(c.ak.fingerprint());
  REQUIRE(by_key);
  CHECK(by_key->name == "n1");
  const NodeRecord node = c.node();
  CHECK(node.id == by_key->id);
  CHECK(node.standing.state == NodeState::kUnknown);
  CHECK(node.standing.since == kNow);
  CHECK(node.enrolled_at == kNow);
  CHECK(std::ranges::equal(node.ak_public, c.ak.encoded()));
  CHECK_FALSE(node.standing.last_verified);
  CHECK_FALSE(node.clock);
  CHECK_FALSE(node.last_rejection);
}

TEST_CASE("enrol_node: the same pair again is the node as it is") {
  StoreCase c;
  REQUIRE(c.store->commit(c.attempt(NodeState::kTrusted)));
  const auto again = c.store->enrol_node("n1", c.ak, later(9));
  REQUIRE(again);
  CHECK(again->enrolled_at == kNow);
  CHECK(again->standing.state == NodeState::kTrusted);
  CHECK(c.store->nodes()->size() == 1);
}

TEST_CASE("enrol_node: a name or key that stands with another partner is refused") {
  StoreCase c;
  const auto other_key = c.store->enrol_node("n1", testing::FakeTpm().ak(), kNow);
  REQUIRE_FALSE(other_key);
  CHECK(other_key.error().id == FaultId::kAlreadyExists);
  const auto other_name = c.store->enrol_node("n2", c.ak, kNow);
  REQUIRE_FALSE(other_name);
  CHECK(other_name.error().id == FaultId::kAlreadyExists);
  CHECK(other_name.error().detail.find("n1") != std::string::npos);
}

TEST_CASE("node: who is not enrolled is not found") {
  StoreCase c;
  CHECK(fault_of(c.store->node("n2")) == FaultId::kNotFound);
  CHECK(fault_of(c.store->node_by_ak(Digest::zero(HashAlg::kSha256))) == FaultId::kNotFound);
}

TEST_CASE("nodes: come by name") {
  StoreCase c;
  REQUIRE(c.store->enrol_node("a", testing::FakeTpm().ak(), kNow));
  const auto nodes = c.store->nodes();
  REQUIRE(nodes);
  REQUIRE(nodes->size() == 2);
  CHECK((*nodes)[0].name == "a");
  CHECK((*nodes)[1].name == "n1");
}

TEST_CASE("commit: everything of a node is there after a restart") {
  StoreCase c;
  AttemptRecord attempt = c.findings({unknown_file(3, std::string("/bin/\0\n\xff';", 10))});
  attempt.standing.last_verified = later(1);
  attempt.checkpoint = checkpoint_of_two_banks();
  attempt.clock = TpmClock{.clock_ms = ~std::uint64_t{0},
                           .reset_count = ~std::uint32_t{0},
                           .restart_count = 2,
                           .safe = true,
                           .firmware_version = ~std::uint64_t{0} - 1};
  attempt.faults_total = 12;
  REQUIRE(c.store->commit(attempt));
  const Fault rejection{.id = FaultId::kQuoteNonceMismatch, .detail = "old"};
  REQUIRE(c.store->commit(
      {.node = c.node_id, .at = later(5), .standing = attempt.standing, .rejection = rejection}));
  c.reopen();

  const NodeRecord node = c.node();
  CHECK(node.standing.state == NodeState::kCompromised);
  CHECK(node.standing.since == kNow);
  CHECK(node.standing.last_verified == later(1));
  CHECK(node.standing.has_open_violations);
  CHECK(node.checkpoint.entries == 57);
  CHECK(node.checkpoint.bytes == 12'345);
  CHECK(node.checkpoint.last_record == Digest::filled(HashAlg::kSha256, 7));
  CHECK(node.checkpoint.running == attempt.checkpoint->running);
  REQUIRE(node.clock);
  CHECK(node.clock->clock_ms == attempt.clock->clock_ms);
  CHECK(node.clock->reset_count == attempt.clock->reset_count);
  CHECK(node.clock->restart_count == 2);
  CHECK(node.clock->safe);
  CHECK(node.clock->firmware_version == attempt.clock->firmware_version);
  REQUIRE(node.faults.size() == 1);
  CHECK(same(node.faults[0], attempt.faults[0]));
  CHECK(node.faults_total == 12);
  REQUIRE(node.last_rejection);
  CHECK(same(*node.last_rejection, rejection));
  CHECK(node.last_rejection_at == later(5));
  CHECK(node.open_violations == 12);
}

TEST_CASE("commit: a rejection leaves the last verdict and the checkpoint alone") {
  StoreCase c;
  REQUIRE(c.store->commit(c.findings({unknown_file(3)})));
  const Standing standing = c.node().standing;
  for (const FaultId id : {FaultId::kQuoteBadSignature, FaultId::kImaMalformed}) {
    REQUIRE(c.store->commit(
        {.node = c.node_id, .at = later(1), .standing = standing, .rejection = Fault{.id = id}}));
  }
  const NodeRecord node = c.node();
  CHECK(node.faults.size() == 1);
  CHECK(node.faults_total == 1);
  CHECK(node.checkpoint.entries == 3);
  CHECK(node.last_rejection->id == FaultId::kImaMalformed);
}

TEST_CASE("commit: a verdict without faults ends the list of the last one") {
  StoreCase c;
  REQUIRE(c.store->commit(c.findings({unknown_file(3)})));
  REQUIRE(c.store->commit(c.attempt(NodeState::kCompromised)));
  CHECK(c.node().faults.empty());
  CHECK(c.node().faults_total == 0);
}

TEST_CASE("commit: a verdict keeps its first hundred faults, in order") {
  StoreCase c;
  std::vector<Fault> faults;
  for (std::uint64_t i = 0; i < 150; ++i) faults.push_back(unknown_file(i));
  REQUIRE(c.store->commit(c.findings(faults)));
  const NodeRecord node = c.node();
  REQUIRE(node.faults.size() == kMaxStoredFaults);
  CHECK(node.faults[0].entry == 0);
  CHECK(node.faults[99].entry == 99);
  CHECK(node.faults_total == 150);
}

TEST_CASE("commit: a reboot begins a boot whose log is not proven yet") {
  StoreCase c;
  REQUIRE(c.store->commit(c.attempt(NodeState::kTrusted)));
  AttemptRecord reboot = c.attempt(NodeState::kTrusted);
  reboot.rebooted = true;
  reboot.checkpoint.reset();
  REQUIRE(c.store->commit(reboot));
  CHECK(c.node().boot == 1);
  CHECK(c.node().checkpoint.entries == 0);
  reboot.checkpoint = checkpoint_of_two_banks();
  REQUIRE(c.store->commit(reboot));
  CHECK(c.node().boot == 2);
  CHECK(c.node().checkpoint.entries == 57);
}

TEST_CASE("commit: a node that is not there changes nothing") {
  StoreCase c;
  AttemptRecord attempt = c.findings({unknown_file(3)});
  attempt.node = NodeId{77};
  CHECK(fault_of(c.store->commit(attempt)) == FaultId::kNotFound);
  CHECK(fault_of(c.store->set_standing(NodeId{77}, {}, kNow)) == FaultId::kNotFound);
  CHECK(fault_of(c.store->acknowledge(NodeId{77}, {}, "", kNow)) == FaultId::kNotFound);
  CHECK(c.due().empty());
}

TEST_CASE("nodes: a row that no version wrote is refused, whatever is wrong with it") {
  for (const char* sql :
       {"UPDATE nodes SET state = 'fine'", "UPDATE nodes SET ak_fingerprint = 'x'",
        "UPDATE nodes SET log_pcrs = '10:sha256:00'",
        "UPDATE nodes SET log_pcrs = '24=sha1:' || hex(zeroblob(20))",
        "UPDATE nodes SET log_pcrs = '10=sha1:00'"}) {
    CAPTURE(std::string(sql));
    StoreCase c;
    c.edit(sql);
    c.reopen();
    const auto nodes = c.store->nodes();
    REQUIRE_FALSE(nodes);
    CHECK(nodes.error().id == FaultId::kStoreFailed);
  }
}

TEST_CASE("Store: what a node has booted is kept whole, and a later boot takes its place") {
  StoreCase one;
  CHECK(fault_of(one.store->boot(one.node_id)) == FaultId::kNotFound);
  AttemptRecord attempt = one.attempt(NodeState::kTrusted);
  const Digest sha1 = Digest::filled(HashAlg::kSha1, 1);
  const Digest sha256 = Digest::filled(HashAlg::kSha256, 2);
  attempt.boot = BootFacts{
      .pcrs = {{{HashAlg::kSha256, PcrIndex::of<0>()}, sha256}},
      .has_log = true,
      .secure_boot = false,
      .variables = {{.name = "db", .digest = sha256}, {.name = "db", .digest = sha256}},
      .applications = {{.pcr = PcrIndex::of<4>(), .digests = {sha256, sha1}, .label = "a\x1b"}},
      .files = {{.pcr = PcrIndex::of<9>(), .digests = {}, .label = ""}},
      .command_lines = {"ro \xff", "quiet"},
      .unlisted = 3};
  REQUIRE(one.store->commit(attempt));
  one.reopen();
  const auto got = one.store->boot(one.node_id);
  REQUIRE(got);
  const BootFacts& want = *attempt.boot;
  CHECK(got->seen_at == attempt.at);
  CHECK(got->facts.pcrs == want.pcrs);
  CHECK(one.node().boot_pcrs == want.pcrs);
  CHECK(got->facts.has_log);
  CHECK(got->facts.secure_boot == false);
  CHECK(got->facts.variables.size() == 2);
  CHECK(got->facts.applications.at(0).digests == want.applications[0].digests);
  CHECK(got->facts.applications.at(0).label == want.applications[0].label);
  CHECK(got->facts.files.at(0).digests.empty());
  CHECK(got->facts.command_lines == want.command_lines);
  CHECK(got->facts.unlisted == 3);
  attempt.boot = BootFacts{};
  REQUIRE(one.store->commit(attempt));
  CHECK_FALSE(one.store->boot(one.node_id)->facts.has_log);
  CHECK(one.store->boot(one.node_id)->facts.command_lines.empty());
}

TEST_CASE("Store: what a boot has shown of its IMA policy survives a restart") {
  StoreCase one;
  AttemptRecord attempt = one.attempt(NodeState::kTrusted);
  attempt.checkpoint->ima_policy = ImaPolicyState::kMissing;
  REQUIRE(one.store->commit(attempt));
  one.reopen();
  CHECK(one.node().checkpoint.ima_policy == ImaPolicyState::kMissing);
}

TEST_CASE("Store: what warned and comes to count is a violation of its own, and told") {
  StoreCase one;
  Fault warns = unknown_file(1);
  warns.severity = Severity::kWarning;
  CHECK(one.store->commit(one.findings({warns})) == 1);
  CHECK(one.store->commit(one.findings({warns})) == 0);
  CHECK(one.store->commit(one.findings({unknown_file(1)})) == 1);
  CHECK(one.store->violations({})->size() == 2);
}

TEST_CASE("Store: a fault that only warns is kept as one") {
  StoreCase one;
  Fault warns = unknown_file(1);
  warns.severity = Severity::kWarning;
  REQUIRE(one.store->commit(one.findings({warns, unknown_file(2)})));
  one.reopen();
  const auto kept = one.store->violations({});
  REQUIRE(kept);
  CHECK(severity_of(kept->at(0).fault) == Severity::kCritical);
  CHECK(severity_of(kept->at(1).fault) == Severity::kWarning);
  CHECK(severity_of(one.node().faults.at(0)) == Severity::kWarning);
}

}  // namespace
}  // namespace assay
