// How operators let machines in: `assay node pending, approve, reject, re-enrol`.
#include <doctest/doctest.h>

#include "cli/node.h"
#include "tests/cli/fake_verifier.h"

using namespace assay;
using namespace assay::testing;

namespace {

v1::PendingTpm stranger() {
  v1::PendingTpm out;
  out.set_name("worker-1");
  out.set_ek_id("sha256:ab");
  out.set_manufacturer("id:494E5443\x1b[2J");
  out.set_requested_at_ms(1795457237804);
  return out;
}

}  // namespace

TEST_CASE("node pending: is a table for people and JSON for programs") {
  FakeVerifier verifier;
  CHECK(verifier.run({"node", "pending"}).out == "no TPM waits for approval\n");
  CHECK(verifier.run({"node", "pending", "--json"}).out == "{\"pending\":[]}\n");
  verifier.waiting = {stranger()};
  const Finished people = verifier.run({"node", "pending"});
  CHECK(people.exit == 0);
  CHECK(people.out ==
        "CLAIMS TO BE  SINCE                     MANUFACTURER        ENDORSEMENT KEY\n"
        "worker-1      2026-11-23T18:07:17.804Z  id:494E5443\\x1b[2J  sha256:ab\n");
  const auto json = verifier.run({"node", "pending", "--json"}).json();
  REQUIRE(json.at("pending").size() == 1);
  CHECK(json.at("pending")[0].at("name") == "worker-1");
  CHECK(json.at("pending")[0].at("ek_id") == "sha256:ab");
  CHECK(json.at("pending")[0].at("requested_at") == "2026-11-23T18:07:17.804Z");
}

TEST_CASE("node approve: sends the name, and the key when several claim it; shows the node") {
  FakeVerifier verifier;
  const Finished got = verifier.run({"node", "approve", "worker-1"});
  CHECK(got.exit == 0);
  CHECK(got.out.find("admitted by") != std::string::npos);
  CHECK(verifier.approved.name() == "worker-1");
  CHECK(verifier.approved.ek_id().empty());
  const Finished one = verifier.run({"node", "approve", "worker-1", "--ek", "sha256:ab", "--json"});
  CHECK(one.exit == 0);
  CHECK(one.json().at("name") == "worker-1");
  CHECK(one.json().at("admitted_by") == "operator");
  CHECK(verifier.approved.ek_id() == "sha256:ab");
}

TEST_CASE("node reject: says how many it forgot") {
  FakeVerifier verifier;
  const Finished got = verifier.run({"node", "reject", "worker-1", "--ek", "sha256:ab"});
  CHECK(got.exit == 0);
  CHECK(got.out == "2 forgotten\n");
  CHECK(verifier.rejected.name() == "worker-1");
  CHECK(verifier.rejected.ek_id() == "sha256:ab");
  CHECK(verifier.run({"node", "reject", "worker-1", "--json"}).out == "{\"rejected\":2}\n");
  CHECK(verifier.rejected.ek_id().empty());
}

TEST_CASE("node re-enrol: says until when") {
  FakeVerifier verifier;
  const Finished got = verifier.run({"node", "re-enrol", "worker-1"});
  CHECK(got.exit == 0);
  CHECK(got.out == "worker-1 may enrol again until 2026-11-23T18:07:17.804Z\n");
  CHECK(verifier.re_enrolled.name() == "worker-1");
  CHECK(verifier.run({"node", "re-enrol", "worker-1", "--json"}).out ==
        "{\"re_enrol_until\":\"2026-11-23T18:07:17.804Z\"}\n");
}

TEST_CASE("node pending, approve, reject, re-enrol: a verifier that says no is status 1") {
  FakeVerifier verifier;
  verifier.refuse_with = {grpc::StatusCode::NOT_FOUND, "no TPM waits under this name\x1b[2J"};
  for (const Arguments& arguments :
       {Arguments{"node", "pending"}, Arguments{"node", "approve", "worker-1"},
        Arguments{"node", "reject", "worker-1"}, Arguments{"node", "re-enrol", "worker-1"}}) {
    CAPTURE(arguments[1]);
    for (const bool json : {false, true}) {
      Arguments asked = arguments;
      if (json) asked.emplace_back("--json");
      const Finished got = verifier.run(asked);
      CHECK(got.exit == 1);
      CHECK(got.out.empty());
      CHECK(got.complains_of("no TPM waits under this name\\x1b[2J"));
    }
  }
}

TEST_CASE("node approve, reject, re-enrol: a name that no node can have is not sent") {
  FakeVerifier verifier;
  for (const std::string verb : {"approve", "reject", "re-enrol"}) {
    CAPTURE(verb);
    const Finished got = verifier.run({"node", verb, "Worker_1"});
    CHECK(got.exit == 3);
    CHECK(got.complains_of("a node's name is 1 to 253 of a-z, 0-9, '-' and '.'"));
  }
  CHECK(verifier.approved.name().empty());
  CHECK(verifier.rejected.name().empty());
  CHECK(verifier.re_enrolled.name().empty());
}
