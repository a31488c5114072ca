#include "verifier/enrolment/enrolment.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"
#include "tests/support/software_ek.h"
#include "tests/support/vendor.h"
#include "tests/verifier/sessions_case.h"
#include "verifier/enrolment/join_token.h"

using namespace assay;
using namespace assay::testing;

namespace {

const Vendor& vendor() {
  static const Vendor kVendor;
  return kVendor;
}

// A TPM with an endorsement key, its certificate, and an attestation key.
struct Tpm {
  SimulatedNode node;
  SoftwareEk ek;

  explicit Tpm(const EkKind& kind = {.algorithm = "P-256"}) : ek(kind) {}

  Identity identity(std::string name = "n1", std::string token = "") const {
    return {.node_name = std::move(name),
            .ek_public = ek.encoded(),
            .certificate = {.certificate = vendor().certify(ek.key()),
                            .chain = {vendor().lower(), vendor().upper()}},
            .join_token = std::move(token)};
  }
  Bytes open(const Credential& credential) const {
    return ek.activate(credential, node.tpm().ak().name()).value_or(Bytes(32));
  }
  const FakeTpm& tpm() const { return node.tpm(); }
};

struct Site : World {
  explicit Site(Policy with = {}) : World({}, std::move(with)) {
    roots = vendor().roots();
    clock.advance(std::chrono::days(1095));  // into the time of the vendor's certificates
  }

  // The whole way in; what it is refused for.
  Result<NodeId> enrol(const Tpm& tpm, const Identity& identity) {
    ASSAY_TRY(Candidate candidate, enrolment.examine(tpm.tpm().ak(), identity));
    const Bytes secret = tpm.open(candidate.credential.credential());
    return enrolment.admit(std::move(candidate), secret);
  }
  std::string enrolled_as(const Tpm& tpm, const std::string& name, const std::string& token = "") {
    const auto got = enrol(tpm, tpm.identity(name, token));
    return got ? "" : std::string(fault_name(got.error().id));
  }
  std::string token(std::uint32_t uses, const std::string& manufacturer = "") {
    const std::string secret = make_join_token();
    REQUIRE(store
                .add_join_token({.name = "t" + std::to_string(++tokens),
                                 .manufacturer = manufacturer,
                                 .uses_left = uses,
                                 .created_at = clock.now(),
                                 .expires_at = clock.now() + 1h},
                                join_token_hash(secret))
                .has_value());
    return secret;
  }
  int tokens = 0;
};

Policy refusing() {
  Policy out;
  out.admission.otherwise = AdmissionPolicy::Otherwise::kRefuse;
  return out;
}

}  // namespace

TEST_CASE("Enrolment: a TPM of a vendor, with a token, becomes a node by itself") {
  for (const EkKind& kind :
       {EkKind{"RSA-2048"}, EkKind{"P-256"}, EkKind{"P-384", HashAlg::kSha384, 256}}) {
    CAPTURE(kind.algorithm);
    Site site(refusing());
    const Tpm tpm(kind);
    REQUIRE(site.enrolled_as(tpm, "n1", site.token(1)) == "");
    const NodeRecord node = *site.ledger.node("n1");
    CHECK(node.ek_id == tpm.ek.ek().id());
    CHECK(node.manufacturer == "id:49465800");
    CHECK(node.admitted_by == "join token t1");
    CHECK(node.ak_fingerprint == tpm.tpm().ak().fingerprint());
    CHECK(site.ledger.find(tpm.tpm().ak().fingerprint(), site.clock.now()) == node.id);
    CHECK(site.enrolled_as(tpm, "n1") == "");  // it is the node already
    CHECK(site.store.nodes()->size() == 1);
  }
}

TEST_CASE("Enrolment: what a machine cannot show is refused by name") {
  Site site(refusing());
  const Tpm tpm;
  const Tpm other;
  const auto refused = [&](const Identity& identity) {
    const auto got = site.enrol(tpm, identity);
    REQUIRE_FALSE(got.has_value());
    return std::string(fault_name(got.error().id));
  };
  const std::string token = site.token(100);
  Identity identity = tpm.identity("n1", token);
  identity.node_name = "../etc";
  CHECK(refused(identity) == "enrol.name_invalid");
  identity = tpm.identity("n1", token);
  identity.ek_public = Bytes(3);
  CHECK(refused(identity) == "ek.malformed");
  identity = tpm.identity("n1", token);
  identity.certificate = {};
  CHECK(refused(identity) == "ek.certificate_missing");
  identity = tpm.identity("n1", token);
  identity.certificate = other.identity().certificate;
  CHECK(refused(identity) == "ek.certificate_key_mismatch");
  identity = tpm.identity("n1", token);
  identity.certificate.certificate = vendor().certify(tpm.ek.key(), [](CertificatePlan& plan) {
    plan.not_after = std::chrono::sys_days(std::chrono::year(1980) / 1 / 1);
    plan.not_before = std::chrono::sys_days(std::chrono::year(1975) / 1 / 1);
  });
  CHECK(refused(identity) == "ek.certificate_expired");
  identity = tpm.identity("n1", token);
  identity.certificate.certificate =
      vendor().certify(tpm.ek.key(), [&](CertificatePlan& plan) { plan.signer = tpm.ek.key(); });
  CHECK(refused(identity) == "ek.certificate_untrusted");
  CHECK(refused(tpm.identity("n1")) == "enrol.not_admitted");
  // Another TPM's endorsement key, certificate and all: this TPM cannot open what is for that.
  identity = other.identity("n1", token);
  CHECK(refused(identity) == "enrol.credential_mismatch");
  CHECK(site.store.nodes()->empty());
}

TEST_CASE("Enrolment: an attestation key of another TPM, or of no TPM, is refused") {
  Site site(refusing());
  const Tpm tpm;
  const Tpm other;
  const std::string token = site.token(100);
  // The credential is for the other's key; the TPM that holds the endorsement key does not open it.
  auto swapped = site.enrolment.examine(other.tpm().ak(), tpm.identity("n1", token));
  REQUIRE(swapped.has_value());
  const Bytes opened = tpm.open(swapped->credential.credential());
  CHECK(fault_of(site.enrolment.admit(*std::move(swapped), opened)) ==
        FaultId::kEnrolCredentialMismatch);

  const auto pem = parse_ak_public(tpm.tpm().ak_pem());
  CHECK(fault_of(site.enrolment.examine(*pem, tpm.identity("n1", token))) == FaultId::kAkMalformed);
  const auto locks = parse_ak_public(
      tpm.tpm().ak_public([](TPMT_PUBLIC& area) { area.objectAttributes &= ~TPMA_OBJECT_NODA; }));
  CHECK(fault_of(site.enrolment.examine(*locks, tpm.identity("n1", token))) == FaultId::kAkLockout);
  CHECK(site.store.nodes()->empty());
}

TEST_CASE("Enrolment: a credential is opened in time, or not at all") {
  Site site;
  const Tpm tpm;
  auto candidate = site.enrolment.examine(tpm.tpm().ak(), tpm.identity());
  REQUIRE(candidate.has_value());
  const Bytes secret = tpm.open(candidate->credential.credential());
  site.clock.advance(2min + 1ms);
  CHECK(fault_of(site.enrolment.admit(*std::move(candidate), secret)) ==
        FaultId::kEnrolCredentialExpired);
}

TEST_CASE("Enrolment: a name and a TPM are bound to each other once") {
  Site site(refusing());
  const std::string token = site.token(100);
  const Tpm first;
  const Tpm thief;
  REQUIRE(site.enrolled_as(first, "n1", token) == "");
  CHECK(site.enrolled_as(thief, "n1", token) == "enrol.name_taken");
  CHECK(site.enrolled_as(first, "n2", token) == "enrol.ek_taken");
  const AkPublic other_key = FakeTpm().ak();
  auto rekeyed = site.enrolment.examine(other_key, first.identity("n1", token));
  REQUIRE(rekeyed.has_value());
  const auto secret = first.ek.activate(rekeyed->credential.credential(), other_key.name());
  CHECK(fault_of(site.enrolment.admit(*std::move(rekeyed), *secret)) == FaultId::kEnrolKeyChanged);
  CHECK(site.store.nodes()->size() == 1);
  CHECK(site.store.join_tokens()->at(0).uses_left == 99);
}

TEST_CASE(
    "Enrolment: tokens are known, last for their time, are counted, and may be for one vendor") {
  Site site(refusing());
  CHECK(site.enrolled_as(Tpm(), "n1", "assay-join-guessed") == "enrol.token_unknown");
  CHECK(site.enrolled_as(Tpm(), "n1", site.token(1, "id:414d4400")) == "enrol.vendor_refused");
  CHECK(site.enrolled_as(Tpm(), "n1", site.token(1, "id:49465800")) == "");
  const std::string once = site.token(1);
  CHECK(site.enrolled_as(Tpm(), "n2", once) == "");
  CHECK(site.enrolled_as(Tpm(), "n3", once) == "enrol.token_spent");
  const std::string late = site.token(1);
  site.clock.advance(1h + 1ms);
  CHECK(site.enrolled_as(Tpm(), "n3", late) == "enrol.token_expired");
  REQUIRE(site.store.revoke_join_token("t4").has_value());
  CHECK(site.enrolled_as(Tpm(), "n3", late) == "enrol.token_unknown");
  CHECK(fault_of(site.store.revoke_join_token("t4")) == FaultId::kNotFound);
}

TEST_CASE("Enrolment: a listed key is let in, as the node that it is listed as") {
  const Tpm any;
  const Tpm named;
  const Tpm bare;
  Policy policy = refusing();
  policy.admission.endorsement_keys.emplace(any.ek.ek().id(), std::nullopt);
  policy.admission.endorsement_keys.emplace(named.ek.ek().id(), "n2");
  policy.admission.endorsement_keys.emplace(bare.ek.ek().id(), std::nullopt);
  policy.admission.without_certificate.insert(bare.ek.ek().id());
  Site site(policy);
  CHECK(site.enrolled_as(any, "n1") == "");
  CHECK(site.ledger.node("n1")->admitted_by == "endorsement key list");
  CHECK(site.enrolled_as(named, "n3") == "enrol.not_admitted");
  CHECK(site.enrolled_as(named, "n2") == "");
  Identity identity = bare.identity("n4");
  identity.certificate = {};
  CHECK(site.enrol(bare, identity).has_value());
}

TEST_CASE("Enrolment: who no rule admits waits for an operator") {
  Site site;
  const Tpm first;
  const Tpm second;
  CHECK(site.enrolled_as(first, "n1") == "enrol.pending");
  CHECK(site.enrolled_as(first, "n1") == "enrol.pending");
  CHECK(site.enrolled_as(second, "n1") == "enrol.pending");
  REQUIRE(site.store.enrolment_requests()->size() == 2);
  const Instant now = site.clock.now();
  CHECK(fault_of(site.ledger.approve("n1", std::nullopt, now)) == FaultId::kRequestInvalid);
  CHECK(fault_of(site.ledger.approve("n9", std::nullopt, now)) == FaultId::kNotFound);
  REQUIRE(site.ledger.approve("n1", first.ek.ek().id(), now).has_value());
  CHECK(site.ledger.node("n1")->admitted_by == "approval");
  CHECK(site.ledger.find(first.tpm().ak().fingerprint(), now).has_value());
  CHECK(fault_of(site.ledger.approve("n1", std::nullopt, now)) == FaultId::kEnrolNameTaken);
  CHECK(site.store.reject("n1", std::nullopt) == 1);
  CHECK(site.store.enrolment_requests()->empty());
}

TEST_CASE(
    "Enrolment: with an operator's leave a node has other keys, and its history begins anew") {
  Site site(refusing());
  const std::string token = site.token(100);
  const Tpm first;
  REQUIRE(site.enrolled_as(first, "n1", token) == "");
  const Instant now = site.clock.now();
  REQUIRE(site.ledger.allow_re_enrolment("n1", now + 1h).has_value());
  CHECK(fault_of(site.ledger.find(first.tpm().ak().fingerprint(), now)) == FaultId::kAkUnknown);
  CHECK(site.enrolled_as(first, "n1") == "");  // the same TPM needs no rule
  CHECK(site.ledger.node("n1")->boot == 1);
  const Tpm next;
  CHECK(site.enrolled_as(next, "n1", token) == "enrol.name_taken");  // the leave was for once
  REQUIRE(site.ledger.allow_re_enrolment("n1", now + 1h).has_value());
  CHECK(site.enrolled_as(next, "n1") == "enrol.not_admitted");  // another TPM does
  CHECK(site.enrolled_as(next, "n1", token) == "");
  CHECK(site.ledger.node("n1")->ek_id == next.ek.ek().id());
  CHECK(site.ledger.find(next.tpm().ak().fingerprint(), now).has_value());
  CHECK(fault_of(site.ledger.find(first.tpm().ak().fingerprint(), now)) == FaultId::kAkUnknown);
  REQUIRE(site.ledger.allow_re_enrolment("n1", now + 1h).has_value());
  site.clock.advance(1h + 1ms);
  CHECK(site.enrolled_as(first, "n1", token) == "enrol.name_taken");
}

TEST_CASE("Sessions: an unknown key enrols on its stream, and is challenged at once") {
  Site site(refusing());
  Tpm tpm;
  Agent agent(site, tpm.node);
  REQUIRE(agent.greet().has_value());
  CHECK(agent.link.identifies() == 1);
  REQUIRE(site.sessions.on_identity(agent.stream, tpm.identity("n1", site.token(1))).has_value());
  REQUIRE(agent.link.credentials().size() == 1);
  const Bytes secret = tpm.open(agent.link.credentials()[0]);
  REQUIRE(site.sessions.on_opened_credential(agent.stream, secret).has_value());
  REQUIRE(tick_until(site, [&] { return !agent.link.challenges().empty(); }));
  CHECK(agent.link.challenges()[0].challenge.max_boot_log_bytes > 0);
  CHECK(agent.answer() == "trusted");
  const Status again = site.sessions.on_opened_credential(agent.stream, secret);
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().id == FaultId::kEnrolCredentialUsed);
}

TEST_CASE("Sessions: a credential of one stream opens nothing on another") {
  Site site(refusing());
  Tpm tpm;
  const std::string token = site.token(2);
  Agent first(site, tpm.node);
  Agent second(site, tpm.node);
  for (Agent* agent : {&first, &second}) {
    REQUIRE(agent->greet().has_value());
    REQUIRE(site.sessions.on_identity(agent->stream, tpm.identity("n1", token)).has_value());
  }
  const Bytes secret = tpm.open(first.link.credentials()[0]);
  const Status replayed = site.sessions.on_opened_credential(second.stream, secret);
  REQUIRE_FALSE(replayed.has_value());
  CHECK(replayed.error().id == FaultId::kEnrolCredentialMismatch);
  CHECK(site.sessions.on_opened_credential(first.stream, secret).has_value());
}

TEST_CASE("Sessions: a TPM that does not open its credential in time loses its stream") {
  Site site;
  Tpm tpm;
  Agent agent(site, tpm.node);
  REQUIRE(agent.greet().has_value());
  REQUIRE(site.sessions.on_identity(agent.stream, tpm.identity()).has_value());
  site.clock.advance(2min + 1ms);
  site.sessions.tick();
  REQUIRE(agent.link.closed().size() == 1);
  CHECK(agent.link.closed()[0].id == FaultId::kEnrolCredentialExpired);
}
