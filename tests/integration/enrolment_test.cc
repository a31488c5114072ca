// Machines that become nodes by themselves: assay-agent on a software TPM with a vendor's certificate,
// assay-verifier, and an operator.
#include <doctest/doctest.h>

#include <fstream>

#include "agent/tpm/tpm.h"
#include "core/tpm_types.h"
#include "tests/integration/agent_stream.h"
#include "tests/integration/machine.h"
#include "tests/integration/operator_client.h"
#include "tests/support/fault_of.h"
#include "tests/support/vendor.h"

using namespace assay;
using namespace assay::testing;
using nlohmann::json;

namespace {

const Vendor& vendor() {
  static const Vendor kVendor;
  return kVendor;
}

RunningVerifier::Options options(const std::string& policy = "admission: {otherwise: refuse}\n") {
  return {.more = "policy_file: policy.yaml\nvendor_roots: .",
          .files = {{"policy.yaml", policy},
                    {"root.pem", std::string(as_text(to_pem(vendor().root())))}}};
}

struct EkKindRow {
  std::string name;  // as the agent's configuration has it
  agent::EkChoice choice;
  std::uint32_t certificate_index;
};
const EkKindRow kRsaLow{"rsa-2048-low", agent::EkChoice::kRsa2048Low, 0x01c00002};
const EkKindRow kEccLow{"ecc-p256-low", agent::EkChoice::kEccP256Low, 0x01c0000a};
const EkKindRow kEccP384{"ecc-p384", agent::EkChoice::kEccP384, 0x01c00016};

// A verifier that knows the vendor, with a golden set and a token for two machines.
struct Site {
  RunningVerifier verifier;
  OperatorClient operators;
  std::string token;

  explicit Site(const RunningVerifier::Options& with = options())
      : verifier(with), operators(verifier) {
    token = answer({"join-token", "create", "rack", "--uses", "2"})["secret"];
    Machine model(verifier);
    model.run("/usr/bin/good", "good");
    const std::string set = (model.dir() / "set.json").string();
    answer({"golden", "build", "--ima-log", model.ima_log().string(), "--name", "host/test", "-o",
            set});
    answer({"golden", "push", set});
  }

  json answer(Arguments arguments) const {
    arguments.push_back("--json");
    const Finished done = verifier.assay(arguments);
    INFO(done.err);
    REQUIRE(done.exit == 0);
    return done.json();
  }
  std::string state(const std::string& node) const {
    const Finished done = verifier.assay({"node", "show", node, "--json"});
    return done.exit == 0 ? std::string(done.json()["state"]) : "nobody";
  }
  bool becomes(const std::string& node, const std::string& wanted) const {
    return eventually([&] { return state(node) == wanted; });
  }
  double rejected(const std::string& reason) const {
    return verifier.metric("assay_evidence_rejected_total{reason=\"" + reason + "\"}").value_or(0);
  }
  bool rejects(const std::string& reason) const {
    return eventually([&] { return rejected(reason) > 0; });
  }
};

// A machine whose TPM has an endorsement certificate of the vendor's.
struct EndorsedMachine {
  Machine machine;

  EndorsedMachine(const Site& site, const std::string& name, const EkKindRow& kind = kEccLow,
                  const std::function<void(CertificatePlan&)>& edit = {},
                  const std::string& more = {})
      : machine(site.verifier, "node_name: " + name + "\njoin_token_file: token\n" + more) {
    const auto token = machine.dir() / "token";
    { std::ofstream(token) << site.token << '\n'; }
    std::filesystem::permissions(token, std::filesystem::perms::owner_read);
    machine.tpm().write_nv(kind.certificate_index, vendor().certify(ek_of(kind).key().get(), edit));
    machine.tpm().write_nv(0x01c00100, chain());
  }

  // The TPM, as an agent's library has it.
  agent::Tpm open(agent::EkChoice choice = agent::EkChoice::kAuto) {
    return agent::Tpm::open({.tcti = machine.tpm().tcti(), .ek = choice}).value();
  }

 private:
  static Bytes chain() {
    Bytes out = vendor().lower();
    out.insert(out.end(), vendor().upper().begin(), vendor().upper().end());
    return out;
  }
  EkPublic ek_of(const EkKindRow& kind) {
    return parse_ek_public(open(kind.choice).identity()->ek_public).value();
  }
};

v1::AgentMessage identity_message(const agent::TpmIdentity& tpm, const std::string& name,
                                  const std::string& token) {
  v1::AgentMessage out;
  v1::Identity& to = *out.mutable_identity();
  to.set_node_name(name);
  to.set_ek_public(std::string(as_text(tpm.ek_public)));
  to.set_ek_certificate(std::string(as_text(tpm.ek_certificate)));
  for (const Bytes& der : tpm.ek_chain) to.add_ek_chain(std::string(as_text(der)));
  to.set_join_token(token);
  return out;
}

v1::AgentMessage opened_message(ByteView secret) {
  v1::AgentMessage out;
  out.mutable_opened_credential()->set_secret(std::string(as_text(secret)));
  return out;
}

Credential credential_of(const v1::Credential& wire) {
  const auto bytes = [](const std::string& text) {
    const ByteView view = as_bytes(text);
    return Bytes(view.begin(), view.end());
  };
  return {.id_object = bytes(wire.id_object()), .encrypted_secret = bytes(wire.encrypted_secret())};
}

}  // namespace

TEST_CASE("Enrolment: RSA and ECC machines become trusted nodes with a token, and no operator") {
  const std::pair<EkKindRow, std::string> rows[] = {
      {kRsaLow, ""}, {kEccP384, "ak: {algorithm: rsa-2048-pss, handle: 0x81010a60}\n"}};
  Site site;
  for (const auto& [kind, more] : rows) {
    CAPTURE(kind.name);
    EndorsedMachine endorsed(site, "node-" + kind.name, kind, {}, more);
    endorsed.machine.run("/usr/bin/good", "good");
    endorsed.machine.start_agent();
    INFO(endorsed.machine.agent_log());
    REQUIRE(site.becomes("node-" + kind.name, "trusted"));
    const json node = site.answer({"node", "show", "node-" + kind.name});
    CHECK(node["admitted_by"] == "join token rack");
    CHECK(node["manufacturer"] == "id:49465800");
    CHECK(endorsed.machine.tpm().transient_objects() == 0);
    CHECK(endorsed.machine.stop_agent() == 0);
  }
  CHECK(site.answer({"join-token", "list"})["tokens"][0]["uses_left"] == 0);
}

TEST_CASE(
    "Enrolment: a certificate that is too old, of nobody, or of another TPM, lets nobody in") {
  Site site;
  const auto refused = [&](const std::string& why, const auto& edit) {
    EndorsedMachine endorsed(site, "n1", kEccLow, edit);
    endorsed.machine.start_agent();
    INFO(endorsed.machine.agent_log());
    CHECK(site.rejects(why));
    CHECK(eventually([&] { return endorsed.machine.agent_log().find(why) != std::string::npos; }));
    CHECK(site.state("n1") == "nobody");
  };
  refused("ek.certificate_expired", [](CertificatePlan& plan) {
    plan.not_before = std::chrono::sys_days(std::chrono::year(2001) / 1 / 1);
    plan.not_after = std::chrono::sys_days(std::chrono::year(2002) / 1 / 1);
  });
  const openssl::EvpPkey own(EVP_EC_gen("P-256"));
  refused("ek.certificate_untrusted", [&](CertificatePlan& plan) { plan.signer = own.get(); });
  refused("ek.certificate_key_mismatch", [&](CertificatePlan& plan) { plan.key = own.get(); });
}

TEST_CASE("Enrolment: a name is one TPM's, and a TPM has one name and one key") {
  Site site;
  EndorsedMachine first(site, "n1");
  first.machine.run("/usr/bin/good", "good");
  first.machine.start_agent();
  INFO(first.machine.agent_log());
  REQUIRE(site.becomes("n1", "trusted"));
  {
    EndorsedMachine thief(site, "n1");
    thief.machine.start_agent();
    CHECK(site.rejects("enrol.name_taken"));
  }
  CHECK(site.state("n1") == "trusted");

  CHECK(first.machine.stop_agent() == 0);
  const agent::Tpm tpm = first.open();
  AgentStream renamed(connect(site.verifier));
  const agent::Tpm rekeyed =
      agent::Tpm::open({.tcti = first.machine.tpm().tcti(),
                        .ak = {.algorithm = agent::AkAlgorithm::kRsa2048, .handle = 0x81010a56}})
          .value();
  for (const auto& [name, want] :
       {std::pair("n2", "enrol.ek_taken"), std::pair("n1", "enrol.key_changed")}) {
    CAPTURE(want);
    AgentStream stream(connect(site.verifier));
    REQUIRE(stream.hello(rekeyed.ak_public()));
    REQUIRE(stream.send(identity_message(*tpm.identity(), name, site.token)));
    const auto credential = stream.credential();
    REQUIRE(credential.has_value());
    REQUIRE(stream.send(opened_message(*rekeyed.activate(credential_of(*credential)))));
    CHECK(stream.finish().error_message().starts_with(want));
  }
}

TEST_CASE("Enrolment: a TPM proves its own key only, once, and only to whom asked") {
  Site site;
  EndorsedMachine a(site, "a");
  EndorsedMachine b(site, "b");
  const agent::Tpm tpm_a = a.open();
  const agent::Tpm tpm_b = b.open();
  const auto refused = [&](const agent::Tpm& ak, const agent::Tpm& ek, const Bytes& secret) {
    AgentStream stream(connect(site.verifier));
    REQUIRE(stream.hello(ak.ak_public()));
    REQUIRE(stream.send(identity_message(*ek.identity(), "a", site.token)));
    const auto credential = stream.credential();
    REQUIRE(credential.has_value());
    // Neither TPM opens it: it is for two keys that no TPM has together.
    CHECK(fault_of(ak.activate(credential_of(*credential))) == FaultId::kTpmFailed);
    CHECK(fault_of(ek.activate(credential_of(*credential))) == FaultId::kTpmFailed);
    REQUIRE(stream.send(opened_message(secret)));
    return stream.finish().error_message();
  };
  CHECK(refused(tpm_a, tpm_b, Bytes(32)).starts_with("enrol.credential_mismatch"));
  CHECK(refused(tpm_b, tpm_a, Bytes()).starts_with("enrol.credential_mismatch"));
  CHECK(a.machine.tpm().transient_objects() == 0);

  AgentStream unrestricted(connect(site.verifier));
  REQUIRE(unrestricted.hello(FakeTpm().ak_public(
      [](TPMT_PUBLIC& area) { area.objectAttributes &= ~TPMA_OBJECT_RESTRICTED; })));
  CHECK(unrestricted.finish().error_message().starts_with("ak.attributes"));

  AgentStream stream(connect(site.verifier));
  REQUIRE(stream.hello(tpm_a.ak_public()));
  REQUIRE(stream.send(identity_message(*tpm_a.identity(), "a", site.token)));
  const auto credential = stream.credential();
  REQUIRE(credential.has_value());
  const auto secret = tpm_a.activate(credential_of(*credential));
  REQUIRE(secret.has_value());
  REQUIRE(stream.send(opened_message(*secret)));
  REQUIRE(stream.challenge().has_value());
  REQUIRE(stream.send(opened_message(*secret)));
  CHECK(stream.finish().error_message().starts_with("enrol.credential_used"));

  AgentStream later(connect(site.verifier));
  REQUIRE(later.hello(tpm_b.ak_public()));
  REQUIRE(later.send(identity_message(*tpm_b.identity(), "b", site.token)));
  REQUIRE(later.credential().has_value());
  REQUIRE(later.send(opened_message(*secret)));
  CHECK(later.finish().error_message().starts_with("enrol.credential_mismatch"));
}

TEST_CASE("Enrolment: who no rule admits waits, and an operator approves") {
  Site site(options("admission: {otherwise: pending}\n"));
  EndorsedMachine endorsed(site, "n1");
  const std::string config = read_file(endorsed.machine.config());
  std::ofstream(endorsed.machine.config()) << config.substr(0, config.find("join_token_file"));
  endorsed.machine.run("/usr/bin/good", "good");
  endorsed.machine.start_agent();
  CHECK(site.rejects("enrol.pending"));
  const json pending = site.answer({"node", "pending"})["pending"];
  REQUIRE(pending.size() == 1);
  CHECK(pending[0]["name"] == "n1");
  site.answer({"node", "approve", "n1"});
  CHECK(site.answer({"node", "pending"})["pending"].empty());
  CHECK(endorsed.machine.stop_agent() == 0);
  endorsed.machine.start_agent();  // it would come by itself, half a minute later
  CHECK(site.becomes("n1", "trusted"));
}

TEST_CASE("Enrolment: a TPM that was cleared is tampering, until an operator lets it enrol again") {
  Site site;
  EndorsedMachine endorsed(site, "n1");
  endorsed.machine.run("/usr/bin/good", "good");
  endorsed.machine.tpm().restart();
  endorsed.machine.reboot();
  endorsed.machine.start_agent();
  INFO(endorsed.machine.agent_log());
  REQUIRE(site.becomes("n1", "trusted"));
  CHECK(endorsed.machine.stop_agent() == 0);
  endorsed.machine.tpm().clear();
  endorsed.machine.start_agent();
  REQUIRE(site.becomes("n1", "compromised"));
  const json listed = site.answer({"violation", "list", "--open"})["violations"];
  REQUIRE(listed.size() == 1);
  CHECK(listed[0]["fault"]["id"] == "quote.reset_backwards");
  site.answer({"node", "re-enrol", "n1"});
  CHECK(site.becomes("n1", "trusted"));
  CHECK(site.answer({"violation", "list", "--open"})["violations"].empty());
}
