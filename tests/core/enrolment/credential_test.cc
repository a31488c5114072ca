#include "core/enrolment/credential.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/fake_tpm.h"
#include "tests/support/software_ek.h"

using namespace assay;
using namespace assay::testing;

namespace {

constexpr CredentialSecret kSecret = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                      12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
                                      23, 24, 25, 26, 27, 28, 29, 30, 31, 32};

bool opens(const SoftwareEk& ek, const Credential& credential, ByteView name) {
  const auto got = ek.activate(credential, name);
  return got && equal_secrets(*got, kSecret);
}

std::size_t size_at(ByteView bytes, std::size_t at) {
  return std::size_t{bytes[at]} * 256 + bytes[at + 1];
}

}  // namespace

TEST_CASE("make_credential: the TPM with both keys opens it, whatever its endorsement key") {
  const EkKind kinds[] = {{"RSA-2048", HashAlg::kSha256, 128}, {"RSA-2048", HashAlg::kSha384, 256},
                          {"RSA-2048", HashAlg::kSha512, 192}, {"RSA-3072", HashAlg::kSha384, 256},
                          {"RSA-3072", HashAlg::kSha256, 128}, {"P-256", HashAlg::kSha256, 128},
                          {"P-384", HashAlg::kSha384, 256},    {"P-521", HashAlg::kSha512, 256},
                          {"P-256", HashAlg::kSha512, 192},    {"P-521", HashAlg::kSha256, 128}};
  const AkPublic ak = FakeTpm().ak();
  for (const EkKind& kind : kinds) {
    CAPTURE(kind.algorithm);
    CAPTURE(hash_name(kind.name_alg));
    const SoftwareEk tpm(kind);
    const auto credential = make_credential(tpm.ek(), ak.name(), kSecret);
    REQUIRE(credential.has_value());
    CHECK(opens(tpm, *credential, ak.name()));
  }
}

TEST_CASE("make_credential: points are as long as their field, even when they start with zeros") {
  // One point in 128 has a coordinate that starts with a zero byte.
  const SoftwareEk tpm({"P-256", HashAlg::kSha256, 128});
  const EkPublic ek = tpm.ek();
  const AkPublic ak = FakeTpm().ak();
  for (int i = 0; i < 600; ++i) {
    const auto credential = make_credential(ek, ak.name(), kSecret);
    REQUIRE(credential.has_value());
    const Bytes& secret = credential->encrypted_secret;
    REQUIRE(secret.size() == 2 + 2 * (2 + 32));
    REQUIRE(size_at(secret, 0) == secret.size() - 2);
    REQUIRE(size_at(secret, 2) == 32);
    REQUIRE(size_at(secret, 36) == 32);
    REQUIRE(opens(tpm, *credential, ak.name()));
  }
}

TEST_CASE("make_credential: no other endorsement key and no other attestation key opens it") {
  const AkPublic ak = FakeTpm().ak();
  for (const char* algorithm : {"RSA-2048", "P-256"}) {
    CAPTURE(algorithm);
    const SoftwareEk tpm({algorithm});
    const SoftwareEk stranger({algorithm});
    const auto credential = make_credential(tpm.ek(), ak.name(), kSecret);
    REQUIRE(credential.has_value());
    CHECK(opens(tpm, *credential, ak.name()));
    CHECK_FALSE(stranger.activate(*credential, ak.name()).has_value());
    CHECK_FALSE(tpm.activate(*credential, FakeTpm().ak().name()).has_value());
    for (const std::size_t i : {std::size_t{4}, credential->id_object.size() - 1}) {
      Credential flipped = *credential;
      flipped.id_object[i] ^= 1;
      CHECK_FALSE(tpm.activate(flipped, ak.name()).has_value());
    }
  }
}

TEST_CASE("make_credential: two credentials for one secret have nothing in common") {
  const AkPublic ak = FakeTpm().ak();
  for (const char* algorithm : {"RSA-2048", "P-256"}) {
    const SoftwareEk tpm({algorithm});
    const auto one = make_credential(tpm.ek(), ak.name(), kSecret);
    const auto other = make_credential(tpm.ek(), ak.name(), kSecret);
    REQUIRE(one.has_value());
    REQUIRE(other.has_value());
    CHECK(one->encrypted_secret != other->encrypted_secret);
    CHECK(one->id_object != other->id_object);
    CHECK(std::ranges::search(one->id_object, kSecret).empty());
  }
}
