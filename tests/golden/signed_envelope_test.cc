#include "golden/signed_envelope.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/support/fault_of.h"
#include "tests/support/signing_keys.h"

using namespace assay;
using namespace assay::testing;
using nlohmann::json;

namespace {

const Bytes kPayload = {'{', '}', '\n', 0xff};

SigningPrivateKey private_of(const PemKey& key) {
  return parse_signing_private_key(as_bytes(key.private_pem)).value();
}

SigningPublicKey public_of(const PemKey& key) {
  return parse_signing_public_key(as_bytes(key.public_pem)).value();
}

DsseEnvelope signed_by(const std::vector<PemKey>& keys) {
  DsseEnvelope out{.payload = kPayload, .signatures = {}};
  for (const PemKey& key : keys) out.signatures.push_back(private_of(key).sign(kPayload));
  return out;
}

std::string refusal(const json& envelope) {
  const auto got = parse_envelope(as_bytes(envelope.dump()));
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().id == FaultId::kGoldenMalformed);
  return got.error().detail;
}

}  // namespace

TEST_CASE("pre_authentication_encoding: type and payload with their lengths") {
  CHECK(as_text(pre_authentication_encoding(as_bytes("hello world"))) ==
        "DSSEv1 28 application/vnd.in-toto+json 11 hello world");
  CHECK(as_text(pre_authentication_encoding({})) == "DSSEv1 28 application/vnd.in-toto+json 0 ");
}

TEST_CASE(
    "parse_envelope: reads what format_envelope writes, and passes over what it does not know") {
  const DsseEnvelope made = signed_by({PemKey::p256(), PemKey::ed25519()});
  json text = json::parse(format_envelope(made));
  text["extension"] = {{"deep", {{{{{{1}}}}}}}};
  text["signatures"][0]["cert"] = "x";
  const auto got = parse_envelope(as_bytes(text.dump(2)));
  REQUIRE(got.has_value());
  CHECK(got->payload == kPayload);
  REQUIRE(got->signatures.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(got->signatures[i].key_id == made.signatures[i].key_id);
    CHECK(got->signatures[i].signature == made.signatures[i].signature);
  }
}

TEST_CASE("parse_envelope: refuses what is no envelope of ours, each for its reason") {
  const json good = json::parse(format_envelope(signed_by({PemKey::ed25519()})));
  const auto with = [&](const json::json_pointer& at, const json& value) {
    json out = good;
    out[at] = value;
    return refusal(out);
  };
  CHECK(refusal(json::array()) == "envelope: not a JSON object");
  CHECK(refusal(json::object()).starts_with("envelope: \"payloadType\""));
  CHECK(with("/payloadType"_json_pointer, "text/plain").starts_with("envelope: \"payloadType\""));
  CHECK(with("/payload"_json_pointer, 7) == "envelope: no \"payload\" in base64");
  CHECK(with("/payload"_json_pointer, "e30") == "envelope: no \"payload\" in base64");
  CHECK(with("/signatures"_json_pointer, json::array()) == "envelope: no \"signatures\"");
  CHECK(with("/signatures"_json_pointer, json::object()) == "envelope: no \"signatures\"");
  CHECK(with("/signatures/0"_json_pointer, 1) == "envelope: a signature that is no object");
  CHECK(with("/signatures/0/sig"_json_pointer, "%") ==
        "envelope: a signature without \"sig\" in base64");
  CHECK(with("/signatures/0/keyid"_json_pointer, 1) == "envelope: \"keyid\" is no text");
  const std::string text = good.dump();
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    CHECK_FALSE(parse_envelope(as_bytes(text).first(cut)).has_value());
  }
  CHECK(parse_envelope(as_bytes(text + std::string("\0{}", 3))).error().detail ==
        "envelope: a NUL byte");
  json many = good;
  while (many["signatures"].size() <= kMaxEnvelopeSignatures) {
    many["signatures"].push_back(good["signatures"][0]);
  }
  CHECK(fault_of(parse_envelope(as_bytes(many.dump()))) == FaultId::kGoldenTooLarge);
  const std::string nested(100'000, '[');
  CHECK_FALSE(parse_envelope(as_bytes("{\"x\":" + nested)).has_value());
}

TEST_CASE("signers_of: keys that signed exactly this payload, each once") {
  const PemKey a = PemKey::p256();
  const PemKey b = PemKey::ed25519();
  const std::vector<SigningPublicKey> keys = {public_of(a), public_of(b),
                                              public_of(PemKey::p256())};
  const DsseEnvelope both = signed_by({a, b});
  std::vector<std::string> want = {keys[0].id(), keys[1].id()};
  std::ranges::sort(want);
  CHECK(signers_of(both, keys) == want);
  CHECK(signers_of(signed_by({b}), keys) == std::vector{keys[1].id()});
  CHECK(signers_of(signed_by({PemKey::ed25519()}), keys).empty());
  CHECK(signers_of(both, {}).empty());
  DsseEnvelope changed = both;
  changed.payload.push_back('x');
  CHECK(signers_of(changed, keys).empty());
}

TEST_CASE("signers_of: a key id is a hint: it gives no vote, and its lack takes none") {
  const PemKey a = PemKey::p256();
  const PemKey b = PemKey::ed25519();
  const std::vector<SigningPublicKey> keys = {public_of(a), public_of(b), public_of(a)};
  DsseEnvelope twice = signed_by({a, a});  // two ECDSA signatures that differ
  CHECK(signers_of(twice, keys) == std::vector{keys[0].id()});
  twice.signatures[1].key_id = keys[1].id();
  CHECK(signers_of(twice, keys) == std::vector{keys[0].id()});
  twice.signatures[0].key_id = "";
  CHECK(signers_of(twice, keys) == std::vector{keys[0].id()});
  twice.signatures[0].key_id = "somebody-else";
  CHECK(signers_of(twice, keys) == std::vector{keys[0].id()});
  twice.signatures[0].key_id = keys[1].id();
  CHECK(signers_of(twice, keys).empty());
}

TEST_CASE("signing keys: P-256 and Ed25519 in PEM, and nothing else") {
  const PemKey p256 = PemKey::p256();
  CHECK(private_of(p256).public_key().id() == public_of(p256).id());
  CHECK(public_of(p256).id().starts_with("sha256:"));
  for (const PemKey& bad : {PemKey::rsa(), PemKey::ec("P-384")}) {
    CHECK(fault_of(parse_signing_private_key(as_bytes(bad.private_pem))) ==
          FaultId::kGoldenMalformed);
    CHECK(fault_of(parse_signing_public_key(as_bytes(bad.public_pem))) ==
          FaultId::kGoldenMalformed);
  }
  CHECK_FALSE(parse_signing_public_key(as_bytes(p256.private_pem)).has_value());
  CHECK_FALSE(parse_signing_private_key(as_bytes(p256.public_pem)).has_value());
  CHECK_FALSE(parse_signing_public_key({}).has_value());
  const std::string long_pem = std::string(kMaxSigningKeyBytes, '\n') + p256.public_pem;
  CHECK_FALSE(parse_signing_public_key(as_bytes(long_pem)).has_value());
}
