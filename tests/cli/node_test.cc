#include "cli/node.h"

#include <doctest/doctest.h>

#include "tests/cli/fake_verifier.h"
#include "tests/support/evidence_case.h"

using namespace assay;
using namespace assay::testing;

namespace {

v1::Node worker() {
  v1::Node node;
  node.set_name("worker-1");
  node.set_state("compromised");
  node.set_ak_fingerprint("sha256:ab");
  node.set_connected(true);
  node.set_last_verified_ms(1795457237804);
  node.set_state_since_ms(1795457230000);
  node.set_proven_entries(80);
  node.set_reset_count(7);
  node.set_open_violations(1);
  node.set_faults_total(1);
  v1::Fault& fault = *node.add_faults();
  fault.set_id("ima.unknown_digest");
  fault.set_severity("critical");
  fault.set_entry(0);
  fault.set_path("/bin/\xff\x1b[2J");
  fault.set_digest("sha256:cd");
  return node;
}

}  // namespace

TEST_CASE("node list: is a table for people and JSON for programs") {
  FakeVerifier verifier;
  CHECK(verifier.run({"node", "list"}).out == "no nodes are enrolled\n");
  CHECK(verifier.run({"node", "list", "--json"}).out == "{\"nodes\":[]}\n");
  verifier.nodes = {worker()};
  const Finished people = verifier.run({"node", "list"});
  CHECK(people.exit == 0);
  CHECK(people.out ==
        "NODE      STATE        SINCE                     CONNECTED  LAST VERIFIED             "
        "ENTRIES  OPEN\n"
        "worker-1  compromised  2026-11-23T18:07:10.000Z  yes        2026-11-23T18:07:17.804Z  80  "
        "     1\n");
  const auto json = verifier.run({"node", "list", "--json"}).json();
  REQUIRE(json.at("nodes").size() == 1);
  CHECK(json.at("nodes")[0].at("name") == "worker-1");
  CHECK(json.at("nodes")[0].at("last_verified_at") == "2026-11-23T18:07:17.804Z");
  CHECK_FALSE(json.at("nodes")[0].contains("faults"));
}

TEST_CASE("node show: has the node and its faults, names escaped") {
  FakeVerifier verifier;
  verifier.nodes = {worker()};
  const Finished people = verifier.run({"node", "show", "worker-1"});
  CHECK(people.exit == 0);
  CHECK(people.out.find("state            compromised\n") != std::string::npos);
  CHECK(people.out.find("/bin/\\xff\\x1b[2J") != std::string::npos);
  CHECK(people.out.find('\x1b') == std::string::npos);
  const auto json = verifier.run({"node", "show", "worker-1", "--json"}).json();
  CHECK(json.at("reset_count") == 7);
  CHECK(json.at("last_rejection").is_null());
  CHECK(json.at("faults_total") == 1);
  CHECK(json.at("faults")[0].at("path") == "/bin/\\xff\\x1b[2J");
  CHECK(json.at("faults")[0].at("entry") == 0);
}

TEST_CASE("node show: a node that is not enrolled is status 1") {
  FakeVerifier verifier;
  const Finished got = verifier.run({"node", "show", "worker-9", "--json"});
  CHECK(got.exit == 1);
  CHECK(got.complains_of("no node \"worker-9\""));
  CHECK(got.out.empty());
}

TEST_CASE("node attest: an answer is status 0 whatever the verdict; none is 1") {
  FakeVerifier verifier;
  verifier.nodes = {worker()};
  const Finished got = verifier.run({"node", "attest", "worker-1", "--json"});
  CHECK(got.exit == 0);
  CHECK(got.json().at("state") == "compromised");
  const Finished none = verifier.run({"node", "attest", "worker-2"});
  CHECK(none.exit == 1);
  CHECK(none.complains_of("its agent is not connected"));
}

TEST_CASE("node enrol: sends name and key, as TPM2B_PUBLIC or PEM") {
  FakeVerifier verifier;
  const TempDir dir;
  const EvidenceCase evidence = load_case("a-clean-tcb-sig");
  for (const Bytes& key : {evidence.ak_public, evidence.ak_pem}) {
    const std::string path = dir.write("ak", as_text(key)).string();
    const Finished got = verifier.run({"node", "enrol", "worker-1", "--ak", path});
    CHECK(got.exit == 0);
    CHECK(verifier.enrolled.name() == "worker-1");
    CHECK(verifier.enrolled.ak_public() == as_text(key));
  }
}

TEST_CASE("node enrol: a key that cannot be used is refused here, by file") {
  FakeVerifier verifier;
  const TempDir dir;
  struct Row {
    std::string path;
    std::string says;
  };
  const Row rows[] = {
      {(dir / "none").string(), "No such file"},
      {dir.write("text", "not a key").string(), "text: the attestation key is not a TPM2B_PUBLIC"},
      {dir.write("big", std::string(5000, 'k')).string(), "over 4096 bytes"},
      {std::string(ASSAY_TEST_DATA) + "/evidence/l-aks/unrestricted.ak.pub", "restricted"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path);
    const Finished got = verifier.run({"node", "enrol", "worker-1", "--ak", row.path});
    CHECK(got.exit == 3);
    CHECK(got.complains_of(row.says));
    CHECK(verifier.enrolled.name().empty());
  }
}

TEST_CASE("node acknowledge: sends the reason, and says how many violations it closed") {
  FakeVerifier verifier;
  const Finished got = verifier.run(
      {"node", "acknowledge", "worker-1", "--reason", "reinstalled \\ ticket 4711 \xc3\xa9"});
  CHECK(got.exit == 0);
  CHECK(got.out.starts_with("3 violations closed\n"));
  CHECK(verifier.acknowledged.name() == "worker-1");
  CHECK(verifier.acknowledged.reason() == "reinstalled \\ ticket 4711 \xc3\xa9");
  const auto json =
      verifier.run({"node", "acknowledge", "worker-1", "--reason", "x", "--json"}).json();
  CHECK(json.at("closed") == 3);
  CHECK(json.at("node").at("name") == "worker-1");
}
