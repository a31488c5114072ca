// Which PCR banks a node is asked for.
#include <doctest/doctest.h>

#include "tests/verifier/sessions_case.h"
#include "verifier/sessions/sessions.h"

using namespace assay;
using namespace assay::testing;
using namespace std::chrono_literals;

namespace {

using Banks = std::vector<HashAlg>;

std::string first_fault(Agent& agent) {
  return agent.link.outcomes().back().first_fault;
}

PcrSelection last_selection(Agent& agent) {
  return agent.link.challenges().back().challenge.selection;
}

// A node that says which banks its TPM keeps, and has said hello.
struct BankNode {
  EnrolledNode node;
  Agent agent;

  BankNode(World& world, const Banks& banks, HashAlg aggregate)
      : node(world, "n1", banks, aggregate), agent(world, node) {
    agent.banks = banks;
  }
};

}  // namespace

TEST_CASE("Sessions: the boot is asked for with the boot PCRs of every bank, the rest without") {
  World world;
  const Banks banks = {HashAlg::kSha1, HashAlg::kSha256};
  BankNode n(world, banks, HashAlg::kSha1);
  REQUIRE(n.agent.hello().has_value());
  CHECK(n.agent.link.challenges()[0].challenge.selection ==
        default_selection(HashAlg::kSha256));  // the proof of the key
  CHECK(last_selection(n.agent) == boot_selection(HashAlg::kSha256, banks));
  CHECK(n.agent.answer() == "trusted");
  CHECK(n.agent.next_answer() == "trusted");
  CHECK(last_selection(n.agent) == default_selection(HashAlg::kSha256));
}

TEST_CASE("Sessions: after kexec the boot is asked for again, at once") {
  World world;
  BankNode n(world, {HashAlg::kSha1, HashAlg::kSha256}, HashAlg::kSha1);
  REQUIRE(n.agent.hello().has_value());
  CHECK(n.agent.answer() == "trusted");
  n.node.kexec(HashAlg::kSha1);
  world.clock.advance(30s);
  world.sessions.tick();
  const auto [id, challenge] = n.agent.link.challenges().back();
  const auto asked = n.agent.link.challenges().size();
  const Bytes rest = n.node.log_from(challenge.first_byte);
  REQUIRE(world.sessions.on_quote(n.agent.stream, id, n.node.quote(challenge)).has_value());
  REQUIRE(world.sessions.on_log_chunk(n.agent.stream, id, rest).has_value());
  REQUIRE(world.sessions.on_end(n.agent.stream, id, {.log_bytes = rest.size()}).has_value());
  REQUIRE(tick_until(world, [&] { return n.agent.link.challenges().size() > asked; }));
  CHECK(n.agent.link.challenges().back().challenge.first_entry == 1);
  CHECK(n.agent.link.challenges().back().challenge.max_boot_log_bytes > 0);
  CHECK(n.agent.answer() == "trusted");
  CHECK(world.ledger.node("n1")->checkpoint.entries == 2);
}

TEST_CASE("Sessions: an agent that hides the bank of boot_aggregate gains nothing") {
  World world;
  BankNode n(world, {HashAlg::kSha1, HashAlg::kSha256}, HashAlg::kSha1);
  n.agent.banks = {HashAlg::kSha256};
  REQUIRE(n.agent.hello().has_value());
  CHECK(n.agent.answer() == "compromised");
  CHECK(first_fault(n.agent) == "boot.aggregate_unproven");
}

TEST_CASE("Sessions: a node is asked for the first bank of its class that its TPM keeps") {
  struct Row {
    std::string what;
    Banks kept;
    Banks by_class;  // empty: the default
    HashAlg want;
  };
  const Row rows[] = {
      {"SHA-256 first", {HashAlg::kSha1, HashAlg::kSha256, HashAlg::kSha384}, {}, HashAlg::kSha256},
      {"SHA-384 alone", {HashAlg::kSha384}, {}, HashAlg::kSha384},
      {"SHA-512 alone", {HashAlg::kSha512}, {}, HashAlg::kSha512},
      {"the class's order",
       {HashAlg::kSha256, HashAlg::kSha384},
       {HashAlg::kSha384, HashAlg::kSha256},
       HashAlg::kSha384},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    NodeClass node_class;
    if (!row.by_class.empty()) node_class.banks = row.by_class;
    World world({}, {.classes = {node_class}});
    BankNode n(world, row.kept, row.want);
    n.node.run("/bin/good", "good");
    REQUIRE(n.agent.hello().has_value());
    CHECK(last_selection(n.agent) == boot_selection(row.want, row.kept));
    CHECK(n.agent.answer() == "trusted");
    n.node.run("/tmp/evil", "evil");
    CHECK(n.agent.next_answer() == "compromised");
    CHECK(first_fault(n.agent) == "ima.unknown_digest");
  }
}

TEST_CASE("Sessions: a TPM with SHA-1 alone is refused, unless policy allows it") {
  const Banks sha1 = {HashAlg::kSha1};
  NodeClass old;
  old.banks.push_back(HashAlg::kSha1);
  for (const Policy& policy : {Policy{}, Policy{.classes = {old}}, Policy{.allow_sha1 = true}}) {
    World world({}, policy);
    BankNode n(world, sha1, HashAlg::kSha1);
    REQUIRE(n.agent.greet().has_value());
    REQUIRE(n.agent.link.closed().size() == 1);
    CHECK(n.agent.link.closed()[0].id == FaultId::kQuoteUnsupported);
    CHECK(n.agent.link.closed()[0].detail == "the TPM keeps no PCR bank of class default");
    CHECK(n.agent.link.challenges().empty());
  }
  World world({}, {.allow_sha1 = true, .classes = {old}});
  BankNode n(world, sha1, HashAlg::kSha1);
  n.node.run("/bin/good", "good");
  REQUIRE(n.agent.hello().has_value());
  CHECK(last_selection(n.agent) == default_selection(HashAlg::kSha1));
  CHECK(n.agent.answer() == "trusted");
}
