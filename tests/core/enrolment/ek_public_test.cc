#include "core/enrolment/ek_public.h"

#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "tests/support/evidence_case.h"
#include "tests/support/fake_tpm.h"
#include "tests/support/software_ek.h"

using namespace assay;
using namespace assay::testing;

namespace {

// SHA-256 of the SubjectPublicKeyInfo in a PEM file.
Digest pem_id(ByteView pem) {
  const openssl::Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  char* name = nullptr;
  char* header = nullptr;
  std::uint8_t* data = nullptr;
  long size = 0;
  REQUIRE(PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1);
  const Digest out = hash(HashAlg::kSha256, {data, static_cast<std::size_t>(size)});
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(data);
  return out;
}

Bytes l_aks(std::string_view file) {
  return read_test_data("evidence/l-aks/" + std::string(file));
}

Bytes with_byte_after(Bytes bytes) {
  bytes.push_back(0);
  return bytes;
}

}  // namespace

TEST_CASE("parse_ek_public: a real TPM's keys of every template are read") {
  struct Row {
    const char* file;
    bool rsa;
    HashAlg name_alg;
    std::uint16_t symmetric_bits;
  };
  const Row rows[] = {{"ek", true, HashAlg::kSha256, 128},
                      {"ek-rsa3072", true, HashAlg::kSha384, 256},
                      {"ek-ecc256", false, HashAlg::kSha256, 128},
                      {"ek-ecc384", false, HashAlg::kSha384, 256},
                      {"ek-ecc521", false, HashAlg::kSha512, 256}};
  for (const Row& row : rows) {
    CAPTURE(row.file);
    const Bytes bytes = l_aks(std::string(row.file) + ".pub");
    const auto ek = parse_ek_public(bytes);
    REQUIRE(ek.has_value());
    CHECK(ek->is_rsa() == row.rsa);
    CHECK(ek->name_alg() == row.name_alg);
    CHECK(ek->symmetric_bits() == row.symmetric_bits);
    CHECK(std::ranges::equal(ek->encoded(), bytes));
    if (row.file == std::string_view("ek-ecc256")) continue;  // its PEM was not kept
    CHECK(ek->id() == pem_id(l_aks(std::string(row.file) + ".pem")));
  }
}

TEST_CASE("parse_ek_public: a TPM has one id, whatever its node says around the key") {
  const SoftwareEk tpm({"P-256"});
  const auto other_words = parse_ek_public(tpm.encoded([](auto& area) {
    area.objectAttributes |= TPMA_OBJECT_USERWITHAUTH;
    area.parameters.eccDetail.symmetric.keyBits.aes = 256;
    area.authPolicy.size = 32;
  }));
  REQUIRE(other_words.has_value());
  CHECK(other_words->id() == tpm.ek().id());
  CHECK(other_words->symmetric_bits() == 256);
  const SoftwareEk rsa({"RSA-2048"});
  const auto exponent =
      parse_ek_public(rsa.encoded([](auto& area) { area.parameters.rsaDetail.exponent = 65537; }));
  REQUIRE(exponent.has_value());
  CHECK(exponent->id() == rsa.ek().id());
  CHECK_FALSE(SoftwareEk({"P-256"}).ek().id() == tpm.ek().id());
}

TEST_CASE("parse_ek_public: every key that is no endorsement key is refused for its own reason") {
  const SoftwareEk ecc({"P-256"});
  const SoftwareEk rsa({"RSA-2048"});
  const SoftwareEk short_rsa({"RSA-1024"});
  const auto without = [&](TPMA_OBJECT attribute) {
    return ecc.encoded([&](auto& area) { area.objectAttributes &= ~attribute; });
  };
  struct Row {
    std::string name;
    Bytes key;
    FaultId want;
  };
  const Row rows[] = {
      {"nothing", {}, FaultId::kEkMalformed},
      {"over 4 KiB", Bytes(4097), FaultId::kEkMalformed},
      {"a PEM", l_aks("ek.pem"), FaultId::kEkMalformed},
      {"a byte after it", with_byte_after(ecc.encoded()), FaultId::kEkMalformed},
      {"a point that is not on the curve",
       ecc.encoded([](auto& a) { a.unique.ecc.x.buffer[0] ^= 1; }), FaultId::kEkMalformed},
      {"a point without a coordinate", ecc.encoded([](auto& a) { a.unique.ecc.y.size = 0; }),
       FaultId::kEkMalformed},
      {"a coordinate over the field", ecc.encoded([](auto& a) { a.unique.ecc.y.size = 33; }),
       FaultId::kEkMalformed},
      {"a curve that is not accepted",
       ecc.encoded([](auto& a) { a.parameters.eccDetail.curveID = TPM2_ECC_NIST_P224; }),
       FaultId::kEkUnsupported},
      {"neither RSA nor ECC", ecc.encoded([](auto& a) {
         a = {};
         a.type = TPM2_ALG_KEYEDHASH;
         a.nameAlg = TPM2_ALG_SHA256;
         a.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL;
       }),
       FaultId::kEkUnsupported},
      {"RSA of 1024 bits", short_rsa.encoded(), FaultId::kEkUnsupported},
      {"RSA with exponent 3", rsa.encoded([](auto& a) { a.parameters.rsaDetail.exponent = 3; }),
       FaultId::kEkUnsupported},
      {"a SHA-1 name", ecc.encoded([](auto& a) { a.nameAlg = TPM2_ALG_SHA1; }),
       FaultId::kEkUnsupported},
      {"no name", ecc.encoded([](auto& a) { a.nameAlg = TPM2_ALG_NULL; }), FaultId::kEkUnsupported},
      {"no cipher",
       ecc.encoded([](auto& a) { a.parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL; }),
       FaultId::kEkUnsupported},
      {"Camellia",
       ecc.encoded([](auto& a) { a.parameters.eccDetail.symmetric.algorithm = TPM2_ALG_CAMELLIA; }),
       FaultId::kEkUnsupported},
      {"AES-CBC, of an RSA key",
       rsa.encoded([](auto& a) { a.parameters.rsaDetail.symmetric.mode.aes = TPM2_ALG_CBC; }),
       FaultId::kEkUnsupported},
      {"AES of 64 bits",
       ecc.encoded([](auto& a) { a.parameters.eccDetail.symmetric.keyBits.aes = 64; }),
       FaultId::kEkUnsupported},
      {"not restricted", without(TPMA_OBJECT_RESTRICTED), FaultId::kEkAttributes},
      {"not for decryption", without(TPMA_OBJECT_DECRYPT), FaultId::kEkAttributes},
      {"not bound to its TPM", without(TPMA_OBJECT_FIXEDTPM), FaultId::kEkAttributes},
      {"not bound to its parent", without(TPMA_OBJECT_FIXEDPARENT), FaultId::kEkAttributes},
      {"made outside the TPM", without(TPMA_OBJECT_SENSITIVEDATAORIGIN), FaultId::kEkAttributes},
      {"may sign", ecc.encoded([](auto& a) { a.objectAttributes |= TPMA_OBJECT_SIGN_ENCRYPT; }),
       FaultId::kEkAttributes},
      {"a key that signs quotes", FakeTpm().ak_public(), FaultId::kEkUnsupported},
      {"unsupported and without attributes: the first reason counts", ecc.encoded([](auto& a) {
         a.nameAlg = TPM2_ALG_SHA1;
         a.objectAttributes = 0;
       }),
       FaultId::kEkUnsupported},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto got = parse_ek_public(row.key);
    REQUIRE_FALSE(got.has_value());
    CHECK(fault_name(got.error().id) == fault_name(row.want));
  }
}

TEST_CASE("parse_ek_public: every proper prefix of a key is refused") {
  const Bytes key = l_aks("ek.pub");
  for (std::size_t i = 0; i < key.size(); ++i) {
    const auto got = parse_ek_public(ByteView(key).first(i));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == FaultId::kEkMalformed);
  }
}
