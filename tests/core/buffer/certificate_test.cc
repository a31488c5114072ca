#include "core/buffer/certificate.h"

#include <doctest/doctest.h>

#include "tests/support/certificates.h"
#include "tests/support/evidence_case.h"

using namespace assay;
using namespace assay::testing;

namespace {

openssl::EvpPkey p256() {
  return openssl::EvpPkey(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
}

Bytes certificate(const std::string& subject) {
  const auto key = p256();
  return make_certificate(
      {.subject = subject, .issuer = "issuer", .key = key.get(), .signer = key.get()});
}

}  // namespace

TEST_CASE("read_certificate: says whose key it is") {
  const Bytes der = certificate("kernel signer");
  const auto got = read_certificate(der);
  REQUIRE(got.has_value());
  CHECK(got->subject == "kernel signer");
  CHECK(got->key == "EC 256");
  CHECK_FALSE(got->serial.empty());
  CHECK(got->sha256 == hash(HashAlg::kSha256, der));
}

TEST_CASE("read_certificate: reads the endorsement certificates of a TPM") {
  const auto got = read_certificate(read_test_data("evidence/l-aks/ek-ecc.der"));
  REQUIRE(got.has_value());
  CHECK(got->key == "EC 384");
}

TEST_CASE("read_certificate: takes nothing for a certificate that is not one, whole") {
  const Bytes der = certificate("x");
  Bytes longer = der;
  longer.push_back(0);
  CHECK_FALSE(read_certificate({}));
  CHECK_FALSE(read_certificate(longer));
  CHECK_FALSE(read_certificate(Bytes(kMaxKeyBytes + 1, 0x30)));
  for (std::size_t size = 1; size < der.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(read_certificate(ByteView(der).first(size)));
  }
}

TEST_CASE("certificate_der: PEM and DER of a certificate are the same key") {
  const Bytes der = certificate("x");
  CHECK(certificate_der(der) == der);
  CHECK(certificate_der(to_pem(der)) == der);
}

TEST_CASE("certificate_der: refuses what is not exactly one certificate") {
  Bytes two = to_pem(certificate("x"));
  const Bytes second = to_pem(certificate("y"));
  two.insert(two.end(), second.begin(), second.end());
  CHECK_FALSE(certificate_der(two));
  CHECK_FALSE(certificate_der({}));
  CHECK_FALSE(certificate_der(to_pem(certificate("x"), "PRIVATE KEY")));
  CHECK_FALSE(certificate_der(Bytes(kMaxKeyBytes + 1, '-')));
}
