#include "core/certificate/client_certificate.h"

#include <doctest/doctest.h>

#include "tests/core/enrolment/certified_tpm.h"

using namespace assay;
using namespace assay::testing;

namespace {

constexpr const char* kUri = "spiffe://example.org/ci/shop";

CertificatePlan client_plan() {
  static const openssl::EvpPkey kKey(EVP_EC_gen("P-256"));
  return vendor().client_plan(kKey.get(), std::string("URI:") + kUri);
}

// What a client shows whose certificate is by a plan that `edit` has been at.
std::string shown(const std::function<void(CertificatePlan&)>& edit = {}) {
  CertificatePlan plan = client_plan();
  if (edit) edit(plan);
  return vendor().shown(plan);
}

std::string with_names(const std::string& names) {
  return shown([&](auto& plan) { set_extension(plan, "subjectAltName", names); });
}

Result<ClientCertificate> verify(const std::string& chain) {
  return verify_client_certificate(chain, vendor().roots(), kNow);
}

// "" when it is accepted.
std::string reason(const Result<ClientCertificate>& got) {
  return got ? "" : std::string(fault_name(got.error().id));
}

}  // namespace

TEST_CASE("verify_client_certificate: a client is who its authority says it is") {
  const auto workload = verify(shown());
  REQUIRE_MESSAGE(workload, format_fault(workload.error()));
  CHECK(workload->uri() == kUri);
  CHECK(workload->dns().empty());
  const auto host = verify(with_names("DNS:Builder.Example.org,DNS:*.x,IP:127.0.0.1,email:a@b"));
  REQUIRE_MESSAGE(host, format_fault(host.error()));
  CHECK(host->uri().empty());
  CHECK(host->dns() == std::vector<std::string>{"builder.example.org", "*.x"});
  // The order of what helps does not matter, and neither does a root among it.
  const Bytes client = make_certificate(client_plan());
  CHECK(verify(pem_chain({client, vendor().upper(), vendor().root(), vendor().lower()})));
  CHECK(verify_client_certificate(pem_chain({client, vendor().lower()}),
                                  vendor().roots({vendor().upper()}), kNow));
  // Usages that are not said allow all.
  CHECK(verify(shown([](auto& plan) {
    remove_extension(plan, "keyUsage");
    remove_extension(plan, "extendedKeyUsage");
  })));
}

TEST_CASE("verify_client_certificate: who is certified by nobody that is trusted is nobody") {
  const Bytes client = make_certificate(client_plan());
  const std::string untrusted = "identity.certificate_untrusted";
  CHECK(reason(verify(pem_chain({client}))) == untrusted);
  CHECK(reason(verify(pem_chain({client, vendor().lower()}))) == untrusted);
  CHECK(reason(verify_client_certificate(shown(), TrustedRoots(), kNow)) == untrusted);
  CHECK(reason(verify_client_certificate(shown(), Vendor().roots(), kNow)) == untrusted);
  // It vouches for itself, or another client does.
  const openssl::EvpPkey other(EVP_EC_gen("P-256"));
  CHECK(reason(verify(shown([&](auto& plan) {
          plan.issuer = plan.subject;
          plan.signer = plan.key;
        }))) == untrusted);
  CHECK(reason(verify(shown([&](auto& plan) { plan.signer = other.get(); }))) == untrusted);
  CertificatePlan below = client_plan();
  below.issuer = client_plan().subject;
  below.signer = client_plan().key;
  below.key = other.get();
  CHECK(reason(verify(pem_chain(
            {make_certificate(below), client, vendor().lower(), vendor().upper()}))) == untrusted);
  // Weak signatures and keys.
  CHECK(reason(verify(shown([](auto& plan) { plan.hash = EVP_sha1(); }))) == untrusted);
  const openssl::EvpPkey weak(EVP_RSA_gen(1024));
  CHECK(reason(verify(shown([&](auto& plan) { plan.key = weak.get(); }))) == untrusted);
  CHECK(reason(verify(shown([](auto& plan) {
          plan.extensions.emplace_back("1.2.3.4", "critical,DER:0500");
        }))) == untrusted);
}

TEST_CASE("verify_client_certificate: names are for those that an authority may certify") {
  const auto constrained = [](const std::string& constraint, const std::string& names) {
    CertificatePlan lower = vendor().lower_plan();
    lower.extensions.emplace_back("nameConstraints", "critical,permitted;" + constraint);
    CertificatePlan plan = client_plan();
    set_extension(plan, "subjectAltName", names);
    plan.subject = "x";
    return reason(
        verify(pem_chain({make_certificate(plan), make_certificate(lower), vendor().upper()})));
  };
  CHECK(constrained("URI:example.org", "URI:spiffe://example.org/a").empty());
  CHECK(constrained("URI:example.org", "URI:spiffe://example.com/a") ==
        "identity.certificate_untrusted");
  CHECK(constrained("DNS:example.org", "DNS:a.example.org").empty());
  CertificatePlan of_servers = vendor().lower_plan();
  of_servers.extensions.emplace_back("extendedKeyUsage", "serverAuth");
  CHECK(reason(verify(pem_chain({make_certificate(client_plan()), make_certificate(of_servers),
                                 vendor().upper()}))) == "identity.certificate_untrusted");
  CHECK(constrained("DNS:example.org", "DNS:a.example.com") == "identity.certificate_untrusted");
}

TEST_CASE("verify_client_certificate: time") {
  CHECK(reason(verify(shown([](auto& plan) { plan.not_after = kPast; }))) == "identity.expired");
  CHECK(reason(verify(shown([](auto& plan) { plan.not_before = kFuture; }))) ==
        "identity.not_yet_valid");
  CertificatePlan lower = vendor().lower_plan();
  lower.not_after = kPast;
  const Bytes client = make_certificate(client_plan());
  CHECK(reason(verify(pem_chain({client, make_certificate(lower), vendor().upper()}))) ==
        "identity.expired");
  lower = vendor().lower_plan();
  lower.not_before = kFuture;
  CHECK(reason(verify(pem_chain({client, make_certificate(lower), vendor().upper()}))) ==
        "identity.not_yet_valid");
}

TEST_CASE("verify_client_certificate: what is no client's certificate is unfit") {
  const std::string unfit = "identity.certificate_unfit";
  const auto with = [](const std::string& name, const std::string& value) {
    return reason(verify(shown([&](auto& plan) { set_extension(plan, name, value); })));
  };
  CHECK(with("basicConstraints", "critical,CA:TRUE") == unfit);
  CHECK(with("extendedKeyUsage", "serverAuth") == unfit);
  CHECK(with("keyUsage", "critical,keyEncipherment") == unfit);
  CHECK(reason(verify(pem_chain({vendor().lower(), vendor().upper()}))) == unfit);
  // Names.
  CHECK(reason(verify(shown([](auto& plan) { remove_extension(plan, "subjectAltName"); }))) ==
        unfit);
  CHECK(reason(verify(with_names("IP:127.0.0.1"))) == unfit);
  CHECK(reason(verify(with_names("URI:spiffe://a/b,URI:spiffe://a/c"))) == unfit);
  CHECK(reason(verify(with_names("URI:spiffe://a/b c"))) == unfit);
  CHECK(reason(verify(with_names("DER:3000"))) == unfit);
  CHECK(reason(verify(with_names("DER:3005860361006a"))) == unfit);  // "a\0j"
  CHECK(reason(verify(with_names("DER:30028200"))) == unfit);        // an empty name
  CHECK(reason(verify(with_names("DER:05003005"))) == unfit);
  CHECK(reason(verify(shown([](auto& plan) {
          plan.extensions.emplace_back("subjectAltName", "URI:spiffe://a/b");
        }))) == unfit);
  // No certificates, or more than anybody has.
  CHECK(reason(verify("")) == unfit);
  CHECK(reason(verify("spiffe://example.org/ci/shop")) == unfit);
  CHECK(reason(verify(std::string(as_text(to_pem(Bytes{0x30, 0x00}))))) == unfit);
  const Bytes client = make_certificate(client_plan());
  std::vector<Bytes> many = {client, vendor().lower(), vendor().upper()};
  many.resize(16, vendor().upper());
  CHECK(reason(verify(pem_chain(many))).empty());
  many.push_back(vendor().upper());
  CHECK(reason(verify(pem_chain(many))) == unfit);
  const std::string chain = shown();
  CHECK(reason(verify(chain + std::string(kMaxClientChainBytes - chain.size(), '\n'))).empty());
  CHECK(reason(verify(chain + std::string(kMaxClientChainBytes - chain.size() + 1, '\n'))) ==
        unfit);
}
