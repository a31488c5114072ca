#include "core/signature/file_signer.h"

#include <doctest/doctest.h>

#include "tests/support/evidence_case.h"
#include "tests/support/ima_builder.h"
#include "tests/support/signing.h"

using namespace assay;
using namespace assay::testing;

TEST_CASE("signer_spki: certificates and public keys in PEM and DER give one key") {
  for (const std::string name : {"ima-rsa", "ima-rsa4096", "ima-ec", "ima-ec384", "ima-other"}) {
    CAPTURE(name);
    const auto from_certificate = signer_spki(read_test_data("keys/" + name + ".der"));
    const auto from_key = signer_spki(read_test_data("keys/" + name + ".pub"));
    REQUIRE(from_certificate.has_value());
    CHECK(from_certificate == from_key);
    CHECK(signer_spki(*from_key) == from_key);
    CHECK(parse_file_signer(*from_key)->encoded() == *from_key);
  }
  CHECK_FALSE(signer_spki({}).has_value());
  CHECK_FALSE(signer_spki(as_bytes("-----BEGIN PUBLIC KEY-----")).has_value());
}

TEST_CASE("FileSigner: its id is the one that evmctl wrote into signatures") {
  const auto id = [](const std::string& name) {
    return parse_file_signer(*signer_spki(read_test_data("keys/" + name + ".pub")))->key_id();
  };
  CHECK(id("ima-rsa") == 0xcb7b5841);
  CHECK(id("ima-rsa4096") == 0x8c64afc5);
  CHECK(id("ima-ec") == 0x90d2652a);
  CHECK(id("ima-ec384") == 0xe413ad5c);
}

TEST_CASE("parse_file_signer: refuses what is no key, has bytes left over, or is too weak") {
  Bytes longer = SigningKey::ecdsa().spki();
  longer.push_back(0);
  for (const Bytes& bad : {Bytes{}, Bytes{1, 2, 3}, Bytes(kMaxFileSignerBytes + 1, 0x30), longer,
                           SigningKey::rsa(1024).spki(), SigningKey::ecdsa("secp256k1").spki()}) {
    const auto got = parse_file_signer(bad);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == FaultId::kGoldenMalformed);
  }
}

TEST_CASE("FileSigner: verifies its own signature of this digest, and nothing else") {
  for (const SigningKey& key :
       {SigningKey::ecdsa(), SigningKey::ecdsa("P-521"), SigningKey::rsa()}) {
    const FileSigner signer = key.signer();
    for (const HashAlg alg : {HashAlg::kSha256, HashAlg::kSha384, HashAlg::kSha512}) {
      const Digest digest = hash(alg, as_bytes("x"));
      Bytes signature = key.sign(digest);
      CHECK(signer.verify(digest, signature));
      CHECK_FALSE(signer.verify(hash(alg, as_bytes("y")), signature));
      CHECK_FALSE(SigningKey::ecdsa().signer().verify(digest, signature));
      signature[signature.size() / 2] ^= 1;
      CHECK_FALSE(signer.verify(digest, signature));
    }
    CHECK_FALSE(signer.verify(digest_of("x"), {}));
  }
}

TEST_CASE(
    "FileSigner: CMS with and without signed attributes is held against the content's digest") {
  for (const SigningKey& key : {SigningKey::ecdsa(), SigningKey::rsa()}) {
    const FileSigner signer = key.signer();
    const Bytes content = {1, 2, 3};
    const Digest digest = hash(HashAlg::kSha256, content);
    for (const unsigned flags : {0U, unsigned{CMS_NOATTR}}) {
      CAPTURE(flags);
      const Bytes cms = key.sign_cms(content, flags);
      CHECK(signer.verify_detached(digest, cms));
      CHECK_FALSE(signer.verify_detached(hash(HashAlg::kSha256, Bytes{4}), cms));
      CHECK_FALSE(signer.verify_detached(hash(HashAlg::kSha512, content), cms));
      CHECK_FALSE(SigningKey::ecdsa().signer().verify_detached(digest, cms));
      for (std::size_t cut = 0; cut < cms.size(); ++cut) {
        CHECK_FALSE(signer.verify_detached(digest, ByteView(cms).first(cut)));
      }
      Bytes longer = cms;
      longer.push_back(0);
      CHECK_FALSE(signer.verify_detached(digest, longer));
    }
  }
}

TEST_CASE("FileSigner: CMS that hashes its attributes by SHA-1 is refused, whatever it says") {
  const SigningKey key = SigningKey::rsa();
  const Digest content = digest_of("module");
  CHECK_FALSE(key.signer().verify_detached(content, key.sign_cms_attributes_by_sha1(content)));
}
