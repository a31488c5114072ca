#include "core/enrolment/ek_certificate.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/core/enrolment/certified_tpm.h"
#include "tests/support/evidence_case.h"

using namespace assay;
using namespace assay::testing;

namespace {

// The header of the TCG's structure for a certificate in NV, with this size in it.
Bytes header(std::size_t size) {
  return {0x10, 0x01, 0x00, static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)};
}

Bytes case_file(std::string_view name, std::string_view file) {
  return read_test_data("evidence/" + std::string(name) + "/" + std::string(file));
}

// Case `name`'s certificate and key, with the captured authority among the operator's files.
Result<EndorsedEk> verify_case(std::string_view name, std::string_view certificate,
                               std::string_view key) {
  const auto issuer = parse_trusted_roots({read_test_data("vendor-ca/issuercert.pem")});
  REQUIRE(issuer.has_value());
  CHECK(issuer->size() == 0);
  const auto roots = parse_trusted_roots(
      {read_test_data("vendor-ca/root.pem"), read_test_data("vendor-ca/issuercert.pem")});
  REQUIRE(roots.has_value());
  return verify_ek_certificate({case_file(name, certificate), {}},
                               parse_ek_public(case_file(name, key)).value(), *roots, kNow);
}

}  // namespace

TEST_CASE("verify_ek_certificate: certificates that swtpm_localca made for real TPMs are trusted") {
  struct Row {
    const char* name;
    const char* certificate;
    const char* key;
  };
  const Row rows[] = {{"a-clean-tcb-sig", "ek.der", "ek.pub"},
                      {"l-aks", "ek.der", "ek.pub"},
                      {"l-aks", "ek-ecc.der", "ek-ecc384.pub"}};
  for (const Row& row : rows) {
    CAPTURE(row.certificate);
    const auto got = verify_case(row.name, row.certificate, row.key);
    REQUIRE(got.has_value());
    CHECK(got->manufacturer() == "id:00001014");
    CHECK(got->ek().id() == parse_ek_public(case_file(row.name, row.key)).value().id());
  }
}

TEST_CASE("verify_ek_certificate: the captured forgeries are refused") {
  CHECK(reason(verify_case("p-16-other-machine-ek-cert", "ek.der", "ek.pub")) ==
        "ek.certificate_key_mismatch");
  // Its forger wrote no extensions either, and that is seen first.
  CHECK(reason(verify_case("p-18-rogue-ca-ek-cert", "ek.der", "ek.pub")) == "ek.certificate_usage");
}

TEST_CASE("verify_ek_certificate: what NV adds to a certificate is taken off") {
  const Bytes der = vendor().certify(tpm().key());
  const Bytes zeros(100);
  const Bytes ones(100, 0xff);
  const Bytes good[] = {
      der,
      joined({der, zeros}),
      joined({der, ones}),
      joined({header(der.size()), der}),
      joined({header(der.size()), der, zeros}),
      joined({header(der.size() + 100), der, zeros}),
  };
  for (const Bytes& bytes : good) CHECK(reason(verify(bytes, sent())).empty());
  const Bytes bad[] = {
      joined({header(der.size() + 1), der}),
      joined({header(der.size() - 1), der}),
      joined({header(der.size()), der, der}),
      joined({header(der.size()), der, Bytes{0, 1}}),
      joined({der, Bytes{0x30}}),
      joined({der, zeros, Bytes{1}}),
      joined({der, zeros, ones}),
      joined({der, der}),
      joined({der, vendor().lower()}),
      header(0),
      {0x10, 0x01, 0x00, 0x00},
      {},
      zeros,
      to_pem(der),
      joined({Bytes{0x10, 0x01, 0x01, 0x00, 0x00}, der}),
  };
  for (const Bytes& bytes : bad) {
    CAPTURE(&bytes - bad);
    CHECK(reason(verify(bytes, sent())) == "ek.certificate_malformed");
  }
}

TEST_CASE("verify_ek_certificate: sizes and numbers have limits") {
  const Bytes der = vendor().certify(tpm().key());
  CHECK(reason(verify(joined({der, Bytes(8192 - der.size())}), sent())).empty());
  CHECK(reason(verify(joined({der, Bytes(8193 - der.size())}), sent())) ==
        "ek.certificate_malformed");
  const Bytes& lower = vendor().lower();
  std::vector<Bytes> chain = sent();
  chain.push_back(joined({lower, Bytes(8192 - lower.size())}));
  CHECK(reason(verify(der, chain)).empty());
  chain.back().push_back(0);
  CHECK(reason(verify(der, chain)) == "ek.certificate_malformed");
  chain = sent();
  chain.resize(16, lower);
  CHECK(reason(verify(der, chain)).empty());
  chain.push_back(lower);
  CHECK(reason(verify(der, chain)) == "ek.certificate_malformed");
  chain.resize(15);
  chain.push_back(joined({lower, lower}));
  CHECK(reason(verify(der, chain)) == "ek.certificate_malformed");
  CHECK(reason(verify(der, {{0x30, 0x00}})) == "ek.certificate_malformed");
}

TEST_CASE("verify_ek_certificate: a certificate of another key proves nothing") {
  const SoftwareEk ecc({"P-256"});
  const SoftwareEk rsa({"RSA-2048"});
  for (const SoftwareEk* other : {&ecc, &rsa}) {
    CHECK(reason(verify(vendor().certify(other->key()), sent())) == "ek.certificate_key_mismatch");
  }
  const openssl::EvpPkey ed25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  CHECK(reason(verify(vendor().certify(ed25519.get()), sent())) == "ek.certificate_key_mismatch");
  CHECK(
      verify_ek_certificate({vendor().certify(ecc.key()), sent()}, ecc.ek(), vendor().roots(), kNow)
          .has_value());
}

TEST_CASE("verify_ek_certificate: a certificate that is not for endorsement keys is refused") {
  struct Row {
    std::string name;
    std::function<void(CertificatePlan&)> edit;
  };
  const Row rows[] = {
      {"no extended key usage", [](auto& plan) { remove_extension(plan, "extendedKeyUsage"); }},
      {"a platform's", [](auto& plan) { set_extension(plan, "extendedKeyUsage", "2.23.133.8.2"); }},
      {"any usage",
       [](auto& plan) { set_extension(plan, "extendedKeyUsage", "anyExtendedKeyUsage"); }},
      {"two sets of usages",
       [](auto& plan) { plan.extensions.emplace_back("extendedKeyUsage", "serverAuth"); }},
      {"an authority's",
       [](auto& plan) { set_extension(plan, "basicConstraints", "critical,CA:TRUE"); }},
      {"may sign certificates",
       [](auto& plan) {
         remove_extension(plan, "basicConstraints");
         set_extension(plan, "keyUsage", "critical,keyCertSign");
       }},
      {"expired besides: the first reason counts",
       [](auto& plan) {
         remove_extension(plan, "extendedKeyUsage");
         plan.not_after = kPast;
       }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(reason(verify_edited(row.edit)) == "ek.certificate_usage");
  }
  CHECK(reason(verify_edited([](auto& plan) {
          set_extension(plan, "extendedKeyUsage", "critical,serverAuth,2.23.133.8.1");
        })).empty());
}

TEST_CASE("verify_ek_certificate: validity is judged at the time that is given") {
  const auto expired = [](auto& plan) { plan.not_after = kPast; };
  const auto not_yet = [](auto& plan) { plan.not_before = kFuture; };
  CHECK(reason(verify_edited(expired)) == "ek.certificate_expired");
  CHECK(reason(verify_edited(not_yet)) == "ek.certificate_expired");
  // Before anything is said of a chain that is not there.
  CHECK(reason(verify(vendor().certify(tpm().key(), expired), {})) == "ek.certificate_expired");
  const auto at = [&](sys_seconds now) {
    return verify_ek_certificate({vendor().certify(tpm().key(), expired), sent()}, tpm().ek(),
                                 vendor().roots(), now)
        .has_value();
  };
  CHECK(at(kPast - std::chrono::seconds(1)));
  CHECK_FALSE(at(kPast + std::chrono::seconds(1)));
  // swtpm_localca's, and what RFC 5280 has for no end.
  CHECK(reason(verify_edited([](auto& plan) {
          plan.not_after = sys_days(year(9999) / 12 / 31);
        })).empty());
}

TEST_CASE("verify_ek_certificate: a key that is marked as for RSAES-OAEP is an RSA key") {
  // As Infineon writes it. OpenSSL 3 has no decoder for such a key (its issue 7907).
  const auto mark = [](int nid) {
    return [nid](X509* certificate) {
      X509_PUBKEY* const place = X509_get_X509_PUBKEY(certificate);
      const std::uint8_t* key = nullptr;
      int size = 0;
      REQUIRE(X509_PUBKEY_get0_param(nullptr, &key, &size, nullptr, place) == 1);
      void* copy = OPENSSL_memdup(key, static_cast<std::size_t>(size));
      REQUIRE(X509_PUBKEY_set0_param(place, OBJ_nid2obj(nid), V_ASN1_NULL, nullptr,
                                     static_cast<std::uint8_t*>(copy), size) == 1);
    };
  };
  const auto oaep = [&](auto& plan) { plan.edit = mark(NID_rsaesOaep); };
  const Bytes der = vendor().certify(tpm().key(), oaep);
  CHECK(reason(verify(der, sent())).empty());
  CHECK(reason(verify(flipped_last(der), sent())) == "ek.certificate_untrusted");
  CHECK(reason(verify(vendor().certify(SoftwareEk({"RSA-2048"}).key(), oaep), sent())) ==
        "ek.certificate_key_mismatch");
  CHECK(reason(verify_edited([&](auto& plan) { plan.edit = mark(NID_rsassaPss); })) ==
        "ek.certificate_key_mismatch");
  CHECK(reason(verify_edited([&](auto& plan) { plan.edit = mark(NID_sha256); })) ==
        "ek.certificate_key_mismatch");
  // What says RSAES-OAEP and holds no RSA key.
  const SoftwareEk ecc({"P-256"});
  CHECK(reason(verify_ek_certificate({vendor().certify(ecc.key(), oaep), sent()}, ecc.ek(),
                                     vendor().roots(), kNow)) == "ek.certificate_key_mismatch");
}

TEST_CASE("verify_ek_certificate: attributes in an order that DER does not have are left so") {
  // Some of Nuvoton's: encoded again in DER's order, it would not be what the vendor signed.
  const auto equal_sizes = [](auto& plan) {
    plan.directory_name = {{"2.23.133.2.1", "id:4E544300"}, {"2.23.133.2.3", "id:00070002"}};
  };
  const Bytes der = signed_again(
      vendor().certify(tpm().key(), equal_sizes), vendor().lower_key(), [](Bytes& covered) {
        // Both are SEQUENCE { OID of 5 bytes, UTF8String of 11 }: 22 bytes each, side by side.
        constexpr long kAttribute = 22;
        const auto first = std::ranges::search(covered, as_bytes("id:4E544300")).end();
        std::swap_ranges(first - kAttribute, first, first);
      });
  CHECK(std::ranges::search(der, as_bytes("id:00070002")).begin() <
        std::ranges::search(der, as_bytes("id:4E544300")).begin());
  const auto got = verify(der, sent());
  REQUIRE(got.has_value());
  CHECK(got->manufacturer() == "id:4E544300");
}

TEST_CASE("verify_ek_certificate: the manufacturer is the certificate's word") {
  const auto manufacturer = [](const std::function<void(CertificatePlan&)>& edit) {
    const auto got = verify_edited(edit);
    REQUIRE(got.has_value());
    return got->manufacturer();
  };
  const auto in_subject = [](const char* value) {
    return [value](X509* certificate) {
      const openssl::Asn1Object type(OBJ_txt2obj("2.23.133.2.1", 1));
      REQUIRE(X509_NAME_add_entry_by_OBJ(X509_get_subject_name(certificate), type.get(),
                                         MBSTRING_UTF8, as_bytes(value).data(), -1, -1, 0) == 1);
    };
  };
  CHECK(manufacturer({}) == "id:49465800");
  CHECK(manufacturer([](auto& plan) { plan.directory_name.clear(); }) == "");
  CHECK(manufacturer([&](auto& plan) {
          plan.directory_name.clear();
          plan.edit = in_subject("id:53544D20");
        }) == "id:53544D20");
  CHECK(manufacturer([&](auto& plan) { plan.edit = in_subject("id:53544D20"); }) == "id:49465800");
  CHECK(manufacturer([](auto& plan) { plan.directory_name = {{"2.23.133.2.2", "SLB"}}; }) == "");
  for (const std::string& odd :
       {std::string(65, 'x'), std::string("id:\n"), std::string("\xc3\xa4")}) {
    CHECK(manufacturer([&](auto& plan) { plan.directory_name = {{"2.23.133.2.1", odd}}; }) == "");
  }
}

TEST_CASE("verify_ek_certificate: every proper prefix of a certificate is refused") {
  const Bytes der = vendor().certify(tpm().key());
  const EkPublic ek = tpm().ek();
  const TrustedRoots roots = vendor().roots();
  for (std::size_t i = 0; i < der.size(); ++i) {
    const auto got = verify_ek_certificate(
        {Bytes(der.begin(), der.begin() + static_cast<long>(i)), {}}, ek, roots, kNow);
    REQUIRE(reason(got) == "ek.certificate_malformed");
  }
}
