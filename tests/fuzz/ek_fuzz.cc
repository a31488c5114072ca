// No bytes that claim to be an endorsement key, its certificate, what leads to a root, or a root
// may crash their readers. A key that is read stays the same key, and nobody is endorsed who is not
// the TPM that the certificate was asked about.
#include "core/enrolment/ek_certificate.h"
#include "tests/fuzz/check.h"
#include "tests/support/evidence_case.h"

using namespace assay;

namespace {

constexpr std::chrono::sys_seconds kNow = std::chrono::sys_days(std::chrono::year(2026) / 12 / 1);

// A captured TPM with its vendor.
struct Captured {
  EkPublic rsa = read_key("ek.pub");
  EkPublic ecc = read_key("ek-ecc384.pub");
  Bytes certificate = testing::read_test_data("evidence/l-aks/ek.der");
  TrustedRoots root = parse_trusted_roots({testing::read_test_data("vendor-ca/root.pem")}).value();
  TrustedRoots vendor = parse_trusted_roots({testing::read_test_data("vendor-ca/root.pem"),
                                             testing::read_test_data("vendor-ca/issuercert.pem")})
                            .value();

  static EkPublic read_key(const std::string& file) {
    return parse_ek_public(testing::read_test_data("evidence/l-aks/" + file)).value();
  }
};

void check_key(ByteView bytes) {
  const auto ek = parse_ek_public(bytes);
  if (!ek) return;
  const auto again = parse_ek_public(ek->encoded());
  FUZZ_CHECK(again && again->id() == ek->id());
  FUZZ_CHECK(ek->encoded().size() == bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Captured kCaptured;
  const Bytes bytes(data, data + size);
  check_key(bytes);
  for (const EkPublic* ek : {&kCaptured.rsa, &kCaptured.ecc}) {
    const auto endorsed = verify_ek_certificate({bytes, {}}, *ek, kCaptured.vendor, kNow);
    if (endorsed) FUZZ_CHECK(endorsed->ek().id() == ek->id());
  }
  // As what leads to the root.
  (void)verify_ek_certificate({kCaptured.certificate, {bytes}}, kCaptured.rsa, kCaptured.root,
                              kNow);
  (void)parse_trusted_roots({bytes});
  return 0;
}
