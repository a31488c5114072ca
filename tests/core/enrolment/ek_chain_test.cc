#include <doctest/doctest.h>

#include <algorithm>

#include "core/enrolment/ek_certificate.h"
#include "tests/core/enrolment/certified_tpm.h"

using namespace assay;
using namespace assay::testing;

TEST_CASE("verify_ek_certificate: a chain of two authorities is built from what helps") {
  const Bytes certificate = vendor().certify(tpm().key());
  const auto verify_with = [&](const std::vector<Bytes>& chain, const std::vector<Bytes>& more) {
    return reason(
        verify_ek_certificate({certificate, chain}, tpm().ek(), vendor().roots(more), kNow));
  };
  const Bytes& upper = vendor().upper();
  const Bytes& lower = vendor().lower();
  CHECK(verify_with({lower, upper}, {}).empty());
  CHECK(verify_with({upper, lower}, {}).empty());
  CHECK(verify_with({lower}, {upper}).empty());
  CHECK(verify_with({}, {upper, lower}).empty());
  CHECK(verify_with({joined({lower, upper, Bytes(20)})}, {}).empty());
  CHECK(verify_with({lower, upper, vendor().root()}, {}).empty());
  CHECK(verify_with({lower}, {}) == "ek.certificate_untrusted");
  CHECK(verify_with({upper}, {}) == "ek.certificate_untrusted");
  CHECK(verify_with({}, {}) == "ek.certificate_untrusted");
}

TEST_CASE("verify_ek_certificate: only roots end a chain") {
  const Bytes certificate = vendor().certify(tpm().key());
  const auto verify_with = [&](const TrustedRoots& roots, std::vector<Bytes> chain) {
    return reason(verify_ek_certificate({certificate, std::move(chain)}, tpm().ek(), roots, kNow));
  };
  const std::vector<Bytes> whole = {vendor().lower(), vendor().upper(), vendor().root()};
  CHECK(verify_with(TrustedRoots(), whole) == "ek.certificate_untrusted");
  // An authority in a file of the operator's is no root, and neither is what the node sends.
  const auto authorities = parse_trusted_roots({vendor().lower(), vendor().upper()});
  REQUIRE(authorities.has_value());
  CHECK(authorities->size() == 0);
  CHECK(verify_with(*authorities, whole) == "ek.certificate_untrusted");
  CHECK(verify_with(Vendor().roots(), whole) == "ek.certificate_untrusted");
}

TEST_CASE("verify_ek_certificate: an authority that is not valid at the time is refused") {
  const Bytes der = vendor().certify(tpm().key());
  CertificatePlan lower = vendor().lower_plan();
  lower.not_after = kPast;
  CHECK(reason(verify(der, {make_certificate(lower), vendor().upper()})) ==
        "ek.certificate_expired");
  CertificatePlan upper = vendor().upper_plan();
  upper.not_before = kFuture;
  CHECK(reason(verify(der, {vendor().lower(), make_certificate(upper)})) ==
        "ek.certificate_expired");
  CertificatePlan root = vendor().root_plan();
  root.not_after = kPast;
  CHECK(reason(verify_ek_certificate({der, sent()}, tpm().ek(),
                                     parse_trusted_roots({make_certificate(root)}).value(),
                                     kNow)) == "ek.certificate_expired");
  // One that a node sends does no harm beside one that is valid.
  CHECK(reason(verify(der, {make_certificate(lower), vendor().lower(), vendor().upper()})).empty());
}

TEST_CASE("verify_ek_certificate: a certificate that no vendor signed is refused") {
  const Vendor rogue;  // the same names, other keys
  const SoftwareEk& ek = tpm();
  const Bytes good = vendor().certify(ek.key());
  struct Row {
    std::string name;
    Bytes certificate;
    std::vector<Bytes> chain;
  };
  const Row rows[] = {
      {"signed by itself",
       vendor().certify(ek.key(),
                        [&](auto& plan) {
                          plan.issuer = plan.subject = "TPM";
                          plan.signer = ek.key();
                        }),
       sent()},
      {"an authority of the same name", rogue.certify(ek.key()), sent()},
      {"a whole vendor of the same names",
       rogue.certify(ek.key()),
       {rogue.lower(), rogue.upper(), rogue.root()}},
      {"a broken signature", flipped_last(good), sent()},
      {"a broken signature in the chain", good, {flipped_last(vendor().lower()), vendor().upper()}},
      {"changed after it was signed",
       [&] {
         Bytes bytes = good;
         const auto at = std::ranges::search(bytes, as_bytes("SLB9670"));
         *at.begin() ^= 1;
         return bytes;
       }(),
       sent()},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(reason(verify(row.certificate, row.chain)) == "ek.certificate_untrusted");
  }
}

TEST_CASE("verify_ek_certificate: an endorsement key that signs another's certificate is refused") {
  const SoftwareEk accomplice({"RSA-2048"});
  const Bytes honest = vendor().certify(accomplice.key(), [](auto& plan) {
    plan.subject = "Accomplice";
    remove_extension(plan, "keyUsage");
  });
  const Bytes forged = vendor().certify(tpm().key(), [&](auto& plan) {
    plan.issuer = "Accomplice";
    plan.signer = accomplice.key();
  });
  CHECK(reason(verify(forged, {honest, vendor().lower(), vendor().upper()})) ==
        "ek.certificate_untrusted");
}

TEST_CASE("verify_ek_certificate: an authority may not go over its path length or its usage") {
  const Bytes der = vendor().certify(tpm().key());
  const auto upper_with = [](const char* name, const char* value) {
    CertificatePlan plan = vendor().upper_plan();
    set_extension(plan, name, value);
    return make_certificate(plan);
  };
  const auto verify_under = [&](const Bytes& upper) {
    return reason(verify(der, {vendor().lower(), upper}));
  };
  CHECK(verify_under(upper_with("basicConstraints", "critical,CA:TRUE,pathlen:1")).empty());
  CHECK(verify_under(upper_with("basicConstraints", "critical,CA:TRUE,pathlen:0")) ==
        "ek.certificate_untrusted");
  CHECK(verify_under(upper_with("basicConstraints", "critical,CA:FALSE")) ==
        "ek.certificate_untrusted");
  CHECK(verify_under(upper_with("keyUsage", "critical,digitalSignature")) ==
        "ek.certificate_untrusted");
}

TEST_CASE("verify_ek_certificate: weak signatures and weak authorities are refused") {
  CHECK(reason(verify_edited([](auto& plan) { plan.hash = EVP_sha1(); })) ==
        "ek.certificate_untrusted");
  const Bytes der = vendor().certify(tpm().key());
  CertificatePlan lower = vendor().lower_plan();
  lower.hash = EVP_sha1();
  CHECK(reason(verify(der, {make_certificate(lower), vendor().upper()})) ==
        "ek.certificate_untrusted");
  const openssl::EvpPkey weak(EVP_RSA_gen(1024));
  CertificatePlan weak_lower = vendor().lower_plan();
  weak_lower.key = weak.get();
  CHECK(reason(verify(vendor().certify(tpm().key(), [&](auto& plan) { plan.signer = weak.get(); }),
                      {make_certificate(weak_lower), vendor().upper()})) ==
        "ek.certificate_untrusted");
  // A root is trusted for being known: what it signed itself with does not matter.
  CertificatePlan root = vendor().root_plan();
  root.hash = EVP_sha1();
  CHECK(verify_ek_certificate({der, sent()}, tpm().ek(),
                              parse_trusted_roots({make_certificate(root)}).value(), kNow)
            .has_value());
}

TEST_CASE("verify_ek_certificate: a critical extension that we do not know is refused") {
  constexpr const char* kUnknown = "1.3.6.1.4.1.311.999";
  CHECK(reason(verify_edited([&](auto& plan) {
          plan.extensions.emplace_back(kUnknown, "critical,DER:0500");
        })) == "ek.certificate_untrusted");
  CHECK(reason(verify_edited([&](auto& plan) {
          plan.extensions.emplace_back(kUnknown, "DER:0500");
        })).empty());
  CertificatePlan lower = vendor().lower_plan();
  lower.extensions.emplace_back(kUnknown, "critical,DER:0500");
  CHECK(reason(verify(vendor().certify(tpm().key()),
                      {make_certificate(lower), vendor().upper()})) == "ek.certificate_untrusted");
}
