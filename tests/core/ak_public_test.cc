#include "core/ak_public.h"

#include <doctest/doctest.h>
#include <openssl/pem.h>

#include "tests/support/evidence_case.h"
#include "tests/support/fake_tpm.h"

using namespace assay;
using namespace assay::testing;

namespace {

constexpr const char* kRealKinds[] = {"rsa2048-rsassa-sha256", "rsa2048-rsapss-sha256",
                                      "rsa2048-rsassa-sha384", "rsa3072-rsassa-sha256",
                                      "rsa3072-rsapss-sha384", "rsa2048-rsassa-sha1",
                                      "ecc256-ecdsa-sha256",   "ecc384-ecdsa-sha384"};

Bytes l_aks(std::string_view stem, std::string_view suffix) {
  return read_test_data("evidence/l-aks/" + std::string(stem) + std::string(suffix));
}

Result<AkPublic> edited(const FakeTpm& tpm, const std::function<void(TPMT_PUBLIC&)>& edit) {
  return parse_ak_public(tpm.ak_public(edit));
}

Bytes pem_of(const openssl::EvpPkey& key) {
  const openssl::Bio bio(BIO_new(BIO_s_mem()));
  REQUIRE(PEM_write_bio_PUBKEY(bio.get(), key.get()) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return Bytes(text, text + size);
}

}  // namespace

TEST_CASE("parse_ak_public: a key's name is the one that its TPM says") {
  for (const char* kind : kRealKinds) {
    CAPTURE(kind);
    const auto ak = parse_ak_public(l_aks(kind, ".ak.pub"));
    REQUIRE(ak.has_value());
    CHECK(to_hex(ak->name()) == to_hex(l_aks(kind, ".ak.name")));
  }
}

TEST_CASE("parse_ak_public: the name covers attributes and names its algorithm") {
  const FakeTpm tpm;
  const auto wide = edited(tpm, [](auto& a) { a.nameAlg = TPM2_ALG_SHA512; });
  REQUIRE(wide.has_value());
  CHECK(wide->name().size() == 2 + 64);
  CHECK(to_hex(wide->name()).starts_with("000d"));
  const auto other = edited(tpm, [](auto& a) { a.objectAttributes |= TPMA_OBJECT_NODA; });
  const auto same_key = edited(tpm, [](auto& a) { a.objectAttributes &= ~TPMA_OBJECT_NODA; });
  REQUIRE(other.has_value());
  REQUIRE(same_key.has_value());
  CHECK(other->fingerprint() == same_key->fingerprint());
  CHECK_FALSE(other->name() == same_key->name());
  CHECK(other->no_da());
  CHECK_FALSE(same_key->no_da());
}

TEST_CASE("check_enrollable: a TPM2B_PUBLIC with noDA is, and so are its kinds") {
  CHECK(check_enrollable(FakeTpm().ak()).has_value());
  for (const TPM2_ALG_ID name_alg : {TPM2_ALG_SHA256, TPM2_ALG_SHA384, TPM2_ALG_SHA512}) {
    const auto ak = edited(FakeTpm(), [&](auto& a) { a.nameAlg = name_alg; });
    REQUIRE(ak.has_value());
    CHECK(check_enrollable(*ak).has_value());
  }
}

TEST_CASE("check_enrollable: keys that an operator alone may enrol are refused") {
  const FakeTpm tpm;
  struct Row {
    std::string name;
    Result<AkPublic> ak;
    FaultId want;
  };
  const Row rows[] = {
      {"a PEM", parse_ak_public(tpm.ak_pem()), FaultId::kAkMalformed},
      {"without noDA", edited(tpm, [](auto& a) { a.objectAttributes &= ~TPMA_OBJECT_NODA; }),
       FaultId::kAkLockout},
      {"a SHA-1 name", edited(tpm, [](auto& a) { a.nameAlg = TPM2_ALG_SHA1; }),
       FaultId::kAkUnsupported},
      {"a name of no known hash", edited(tpm, [](auto& a) { a.nameAlg = TPM2_ALG_SM3_256; }),
       FaultId::kAkUnsupported},
      {"a SHA-1 name and without noDA: the first reason counts",
       edited(tpm,
              [](auto& a) {
                a.nameAlg = TPM2_ALG_SHA1;
                a.objectAttributes &= ~TPMA_OBJECT_NODA;
              }),
       FaultId::kAkUnsupported},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    REQUIRE(row.ak.has_value());
    const auto got = check_enrollable(*row.ak);
    REQUIRE_FALSE(got.has_value());
    CHECK(fault_name(got.error().id) == fault_name(row.want));
  }
}

TEST_CASE("parse_ak_public: a size that is not accepted is said before what the key may do") {
  // FakeTpm has no RSA key: an RSA public area of 1024 bits, with no attributes at all.
  const FakeTpm tpm;
  const auto got = edited(tpm, [](auto& a) {
    a = {};
    a.type = TPM2_ALG_RSA;
    a.nameAlg = TPM2_ALG_SHA256;
    a.parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
    a.parameters.rsaDetail.scheme.scheme = TPM2_ALG_RSASSA;
    a.parameters.rsaDetail.scheme.details.rsassa.hashAlg = TPM2_ALG_SHA256;
    a.parameters.rsaDetail.keyBits = 1024;
    a.unique.rsa.size = 128;
    a.unique.rsa.buffer[0] = 0x80;
    a.unique.rsa.buffer[127] = 1;
  });
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().id == FaultId::kAkUnsupported);
}

TEST_CASE("parse_ak_public: a PEM of a key that no quote could be checked with is refused") {
  const openssl::EvpPkey keys[] = {
      openssl::EvpPkey(EVP_RSA_gen(1024)), openssl::EvpPkey(EVP_EC_gen("P-224")),
      openssl::EvpPkey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"))};
  for (const openssl::EvpPkey& key : keys) {
    const auto got = parse_ak_public(pem_of(key));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == FaultId::kAkUnsupported);
  }
}
