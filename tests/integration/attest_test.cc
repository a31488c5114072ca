// The whole path: assay-agent on a machine with a TPM, assay-verifier, `assay`, metrics, webhook.
#include <doctest/doctest.h>
#include <openssl/hmac.h>

#include <fstream>

#include "tests/integration/machine.h"
#include "tests/support/signing.h"
#include "tests/verifier/sinks/receiver.h"

using namespace assay;
using namespace assay::testing;
using nlohmann::json;

namespace {

const Bytes kSecret(32, 7);

RunningVerifier::Options with_webhook(const Receiver& receiver) {
  return {.more = "webhooks:\n  - {name: hook, url: '" + receiver.url() + "', secret_file: secret}",
          .files = {{"secret", "whsec_" + to_base64(kSecret)}}};
}

json answer_of(const RunningVerifier& verifier, Arguments arguments) {
  arguments.push_back("--json");
  const Finished done = verifier.assay(arguments);
  INFO(done.err);
  REQUIRE(done.exit == 0);
  return done.json();
}

std::string state_of(const RunningVerifier& verifier) {
  return answer_of(verifier, {"node", "show", "n1"})["state"];
}

bool becomes(const RunningVerifier& verifier, const std::string& state) {
  return eventually([&] { return state_of(verifier) == state; });
}

json violations_of(const RunningVerifier& verifier) {
  return answer_of(verifier, {"violation", "list"})["violations"];
}

// Makes what the machine has run so far golden, and its key known.
void introduce(const RunningVerifier& verifier, Machine& machine) {
  const std::string set = (machine.dir() / "set.json").string();
  answer_of(verifier, {"golden", "build", "--ima-log", machine.ima_log().string(), "--name",
                       "host/test", "-o", set});
  answer_of(verifier, {"golden", "push", set});
  answer_of(verifier, {"node", "enrol", "n1", "--ak", machine.print_ak().string()});
}

// A verifier and a machine that it trusts.
struct Site {
  RunningVerifier verifier;
  Machine machine;

  explicit Site(const RunningVerifier::Options& options = {})
      : verifier(options), machine(verifier) {
    machine.run("/usr/bin/good", "good");
    introduce(verifier, machine);
    machine.start_agent();
    INFO(machine.agent_log());
    REQUIRE(becomes(verifier, "trusted"));
  }

  void compromise() {
    machine.run("/tmp/evil \x1b[31m", "evil");
    REQUIRE(becomes(verifier, "compromised"));
  }
};

// Standard Webhooks 1.0: HMAC-SHA-256 over "id.timestamp.body".
bool signed_by_us(const httplib::Request& request) {
  const std::string text = request.get_header_value("webhook-id") + '.' +
                           request.get_header_value("webhook-timestamp") + '.' + request.body;
  Bytes mac(32);
  HMAC(EVP_sha256(), kSecret.data(), static_cast<int>(kSecret.size()), as_bytes(text).data(),
       text.size(), mac.data(), nullptr);
  return request.get_header_value("webhook-signature") == "v1," + to_base64(mac);
}

// Bodies of the notifications of one type that came so far. Fails the test for a bad signature.
std::vector<json> bodies(const Receiver& receiver, const std::string& type) {
  std::vector<json> out;
  for (const httplib::Request& request : receiver.requests()) {
    CHECK(signed_by_us(request));
    json body = json::parse(request.body);
    if (body["type"] == type) out.push_back(std::move(body["data"]));
  }
  return out;
}

}  // namespace

TEST_CASE("Assay: an unknown file reaches the list of violations, the metrics and the webhook") {
  const Receiver receiver;
  Site site(with_webhook(receiver));
  CHECK(violations_of(site.verifier).empty());
  CHECK(site.verifier.metric(R"(assay_node_state{node="n1",state="trusted"})") == 1);
  site.compromise();

  const json listed = violations_of(site.verifier);
  REQUIRE(listed.size() == 1);
  CHECK(listed[0]["node"] == "n1");
  CHECK(listed[0]["status"] == "open");
  CHECK(listed[0]["fault"]["id"] == "ima.unknown_digest");
  CHECK(listed[0]["fault"]["entry"] == 2);
  CHECK(listed[0]["fault"]["path"] == "/tmp/evil \\x1b[31m");
  CHECK(listed[0]["fault"]["digest"] == format_digest(digest_of("evil")));

  const RunningVerifier& verifier = site.verifier;
  CHECK(verifier.metric(R"(assay_node_state{node="n1",state="compromised"})") == 1);
  CHECK(verifier.metric(R"(assay_node_state{node="n1",state="trusted"})") == 0);
  CHECK(verifier.metric(R"(assay_violations_active{kind="ima.unknown_digest"})") == 1);
  CHECK(verifier.metric(
            R"(assay_violations_total{kind="ima.unknown_digest",severity="critical"})") == 1);

  REQUIRE(eventually([&] { return !bodies(receiver, "assay.violation.detected").empty(); }));
  const json told = bodies(receiver, "assay.violation.detected").at(0);
  CHECK(told["id"] == listed[0]["id"]);
  CHECK(told["node"] == "n1");
  CHECK(told["state"] == "compromised");
  CHECK(told["fault"]["path"] == listed[0]["fault"]["path"]);
  CHECK(eventually([&] { return verifier.metric("assay_alert_queue_length") == 0; }));
}

TEST_CASE("Assay: a verifier that was stopped or killed goes on where it was") {
  const Receiver receiver;
  Site site(with_webhook(receiver));
  site.compromise();
  REQUIRE(eventually([&] { return bodies(receiver, "assay.violation.detected").size() == 1; }));
  const json before = answer_of(site.verifier, {"node", "show", "n1"});
  CHECK(site.verifier.stop() == 0);
  site.verifier.start();
  REQUIRE(eventually([&] {
    return answer_of(site.verifier, {"node", "show", "n1"})["connected"] == true;
  }));
  site.verifier.kill();
  site.verifier.start();
  REQUIRE(eventually([&] {
    return answer_of(site.verifier, {"node", "show", "n1"})["connected"] == true;
  }));
  CHECK(answer_of(site.verifier, {"node", "attest", "n1"})["state"] == "compromised");
  CHECK(answer_of(site.verifier, {"node", "show", "n1"})["proven_entries"] ==
        before["proven_entries"]);
  CHECK(violations_of(site.verifier).size() == 1);
  // Only what came after the checkpoint was replayed: nothing.
  CHECK(site.verifier.metric("assay_ima_entries_replayed_total") == 0);
  CHECK(bodies(receiver, "assay.violation.detected").size() == 1);

  site.machine.run("/tmp/evil2", "evil2");
  CHECK(eventually([&] { return violations_of(site.verifier).size() == 2; }));
}

TEST_CASE("Assay: a verifier has its state back before /metrics answers") {
  Site site;
  site.compromise();
  CHECK(site.machine.stop_agent() == 0);
  site.verifier.kill();
  site.verifier.launch();
  RunningVerifier::HttpAnswer first;
  REQUIRE(eventually([&] {
    first = site.verifier.get("/metrics");
    return first.status != 0;
  }));
  CHECK(first.status == 200);
  CHECK(first.body.find("assay_node_state{node=\"n1\",state=\"compromised\"} 1\n") !=
        std::string::npos);
  CHECK(first.body.find("assay_violations_active{kind=\"ima.unknown_digest\"} 1\n") !=
        std::string::npos);
  CHECK(first.body.find("assay_golden_images 1\n") != std::string::npos);
  site.verifier.await_start();
}

TEST_CASE(
    "Assay: an agent that was stopped or killed comes back with its key, and nothing is found "
    "twice") {
  Site site;
  const std::string ak = read_file(site.machine.print_ak());
  site.compromise();
  CHECK(site.machine.stop_agent() == 0);
  site.machine.start_agent();
  CHECK(eventually([&] {
    return answer_of(site.verifier, {"node", "show", "n1"})["connected"] == true;
  }));
  site.machine.kill_agent();
  CHECK(read_file(site.machine.print_ak()) == ak);
  site.machine.run("/usr/bin/good", "good");
  site.machine.start_agent();
  CHECK(eventually([&] {
    return answer_of(site.verifier, {"node", "show", "n1"})["proven_entries"] == 4;
  }));
  CHECK(violations_of(site.verifier).size() == 1);
  CHECK(state_of(site.verifier) == "compromised");
}

TEST_CASE("Assay: a reset of the TPM and a clean log make a compromised node trusted") {
  Site site;
  const json before = answer_of(site.verifier, {"node", "show", "n1"});
  site.compromise();
  CHECK(site.machine.stop_agent() == 0);
  site.machine.reboot();
  site.machine.run("/usr/bin/good", "good");
  site.machine.start_agent();
  REQUIRE(becomes(site.verifier, "trusted"));
  const json after = answer_of(site.verifier, {"node", "show", "n1"});
  CHECK(after["reset_count"] > before["reset_count"]);
  CHECK(after["open_violations"] == 0);
  CHECK(violations_of(site.verifier).at(0)["status"] == "closed");
}

TEST_CASE("Assay: a log that was cleaned without a reset is tampering, not innocence") {
  Site site;
  site.compromise();
  CHECK(site.machine.stop_agent() == 0);
  std::filesystem::resize_file(site.machine.ima_log(), 0);
  site.machine.run("/usr/bin/good", "good");
  std::filesystem::resize_file(site.machine.ima_log(), 0);
  site.machine.start_agent();
  CHECK(eventually([&] { return violations_of(site.verifier).size() == 2; }));
  CHECK(violations_of(site.verifier).at(0)["fault"]["id"] == "ima.log_truncated");
  CHECK(state_of(site.verifier) == "compromised");
}

TEST_CASE("Assay: an acknowledged node is judged afresh by its next evidence") {
  Site site;
  site.compromise();
  const json done =
      answer_of(site.verifier, {"node", "acknowledge", "n1", "--reason", "a drill, ticket 4711"});
  CHECK(done["closed"] == 1);
  CHECK(answer_of(site.verifier, {"node", "attest", "n1"})["state"] == "trusted");
  const json listed = violations_of(site.verifier).at(0);
  CHECK(listed["status"] == "acknowledged");
  CHECK(listed["acknowledgement"] == "a drill, ticket 4711");
  CHECK(site.verifier.metric(R"(assay_violations_active{kind="ima.unknown_digest"})") == 0);
}

TEST_CASE("Assay: a node that falls silent is stale by the clock, until it speaks again") {
  Site site;
  CHECK(site.verifier.stop() == 0);
  site.verifier.set_interval("300ms");
  site.verifier.start();
  REQUIRE(becomes(site.verifier, "trusted"));
  CHECK(site.machine.stop_agent() == 0);
  CHECK(becomes(site.verifier, "stale"));
  CHECK(site.verifier.metric(R"(assay_node_state{node="n1",state="stale"})") == 1);
  site.machine.start_agent();
  CHECK(becomes(site.verifier, "trusted"));
}

TEST_CASE("Assay: a machine whose TPM nobody vouches for is refused") {
  RunningVerifier verifier;
  Machine machine(verifier);
  machine.start_agent();
  CHECK(eventually([&] {
    return verifier.metric(R"(assay_evidence_rejected_total{reason="ek.certificate_missing"})") ==
           1;
  }));
  CHECK(eventually(
      [&] { return machine.agent_log().find("ek.certificate_missing") != std::string::npos; }));
  CHECK(answer_of(verifier, {"node", "list"})["nodes"].empty());
}

TEST_CASE("Assay: a TPM that keeps SHA-384 alone is judged by that") {
  const RunningVerifier verifier;
  Machine machine(verifier, {}, HashAlg::kSha384);
  machine.reboot_with_banks({HashAlg::kSha384});
  machine.run("/usr/bin/good", "good");
  introduce(verifier, machine);
  machine.start_agent();
  INFO(machine.agent_log());
  REQUIRE(becomes(verifier, "trusted"));
  machine.run("/tmp/evil", "evil");
  CHECK(becomes(verifier, "compromised"));
}

TEST_CASE(
    "Assay: a TPM that keeps SHA-1 alone is refused, unless its class and the policy allow it") {
  const std::string refusing = "classes:\n  - {name: old}\n";
  const std::string allowing =
      "allow_sha1: true\nclasses:\n  - {name: old, banks: [sha256, sha1]}\n";
  for (const std::string& policy : {refusing, allowing}) {
    CAPTURE(policy);
    const RunningVerifier verifier(
        {.more = "policy_file: policy.yaml", .files = {{"policy.yaml", policy}}});
    Machine machine(verifier, {}, HashAlg::kSha1);
    machine.reboot_with_banks({HashAlg::kSha1});
    machine.run("/usr/bin/good", "good");
    introduce(verifier, machine);
    machine.start_agent();
    INFO(machine.agent_log());
    if (policy == allowing) {
      CHECK(becomes(verifier, "trusted"));
      continue;
    }
    CHECK(eventually([&] {
      return machine.agent_log().find("the TPM keeps no PCR bank of class old") !=
             std::string::npos;
    }));
    CHECK(state_of(verifier) == "unknown");
  }
}

TEST_CASE("Assay: a kernel may take its boot_aggregate of SHA-1, after kexec too") {
  const RunningVerifier verifier;
  Machine machine(verifier, {}, HashAlg::kSha1);
  const std::string image_log = (machine.dir() / "image_log").string();
  const std::string set = (machine.dir() / "set.json").string();
  const Bytes files = ImaBuilder().file("/usr/bin/good", digest_of("good")).bytes();
  std::ofstream(image_log, std::ios::binary) << as_text(files);
  answer_of(verifier,
            {"golden", "build", "--ima-log", image_log, "--name", "host/test", "-o", set});
  answer_of(verifier, {"golden", "push", set});
  answer_of(verifier, {"node", "enrol", "n1", "--ak", machine.print_ak().string()});
  machine.run("/usr/bin/good", "good");
  machine.start_agent();
  INFO(machine.agent_log());
  REQUIRE(becomes(verifier, "trusted"));

  machine.kexec();
  REQUIRE(eventually([&] {
    return answer_of(verifier, {"node", "show", "n1"})["proven_entries"] == 3;
  }));
  CHECK(state_of(verifier) == "trusted");
  CHECK(violations_of(verifier).empty());
}

TEST_CASE(
    "Assay: a file that a golden key signed is golden, and one that another key signed is not") {
  Site site;
  const SigningKey key = SigningKey::ecdsa();
  const SigningKey other = SigningKey::ecdsa();
  const std::string key_file = (site.machine.dir() / "signer.der").string();
  const std::string set = (site.machine.dir() / "signers.json").string();
  std::ofstream(key_file, std::ios::binary) << as_text(key.spki());
  answer_of(site.verifier,
            {"golden", "build", "--signer", key_file, "--name", "signed/vendor", "-o", set});
  answer_of(site.verifier, {"golden", "push", set});
  const json shown = answer_of(site.verifier, {"golden", "show", "signed/vendor"});
  REQUIRE(shown["signers"].size() == 1);
  CHECK(shown["signers"][0]["name"] == "signer.der");
  CHECK(shown["signers"][0]["key"] == format_digest(key.signer().fingerprint()));

  site.machine.run_signed("/usr/bin/new", "new", sig_v2(key, digest_of("new")));
  REQUIRE(eventually([&] {
    return answer_of(site.verifier, {"node", "show", "n1"})["proven_entries"] == 3;
  }));
  CHECK(state_of(site.verifier) == "trusted");

  CHECK(site.verifier.metric(R"(assay_ima_entries_accepted_total{rule="signature"})") == 1);
  const Bytes forged =
      xattr(3, 2, HashAlg::kSha256, key.signer().key_id(), other.sign(digest_of("evil")));
  site.machine.run_signed("/usr/bin/evil", "evil", forged);
  REQUIRE(becomes(site.verifier, "compromised"));
  const json listed = violations_of(site.verifier);
  REQUIRE(listed.size() == 1);
  CHECK(listed[0]["fault"]["id"] == "ima.unknown_digest");
  CHECK(listed[0]["fault"]["path"] == "/usr/bin/evil");
}
