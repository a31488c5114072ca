// A TPM vendor of a test's own: a root, two authorities under it, and what they certify.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/enrolment/ek_certificate.h"
#include "tests/support/certificates.h"

namespace assay::testing {

class Vendor {
 public:
  Vendor()
      : root_key_(EVP_RSA_gen(2048)),
        upper_key_(EVP_EC_gen("P-256")),
        lower_key_(EVP_RSA_gen(2048)) {
    root_ = make_certificate(root_plan());
    upper_ = make_certificate(upper_plan());
    lower_ = make_certificate(lower_plan());
  }

  EVP_PKEY* root_key() const { return root_key_.get(); }
  EVP_PKEY* lower_key() const { return lower_key_.get(); }
  const Bytes& root() const { return root_; }    // signed by itself
  const Bytes& upper() const { return upper_; }  // signed by root
  const Bytes& lower() const { return lower_; }  // signed by upper; it signs endorsement keys

  // The vendor's root as the only one trusted, beside certificates that help with chains.
  TrustedRoots roots(const std::vector<Bytes>& more = {}) const {
    std::vector<Bytes> files = {root_};
    files.insert(files.end(), more.begin(), more.end());
    return parse_trusted_roots(files).value();
  }

  CertificatePlan root_plan() const {
    return {.subject = "Root",
            .issuer = "Root",
            .key = root_key_.get(),
            .signer = root_key_.get(),
            .extensions = authority()};
  }
  CertificatePlan upper_plan() const {
    return {.subject = "Upper",
            .issuer = "Root",
            .key = upper_key_.get(),
            .signer = root_key_.get(),
            .extensions = authority()};
  }
  CertificatePlan lower_plan() const {
    return {.subject = "Lower",
            .issuer = "Upper",
            .key = lower_key_.get(),
            .signer = upper_key_.get(),
            .extensions = authority()};
  }
  // What a vendor issues for `key`: an empty subject and the TCG's attributes.
  CertificatePlan ek_plan(EVP_PKEY* key) const {
    return {.subject = "",
            .issuer = "Lower",
            .key = key,
            .signer = lower_key_.get(),
            .extensions = {{"basicConstraints", "critical,CA:FALSE"},
                           {"keyUsage", "critical,keyEncipherment"},
                           {"extendedKeyUsage", "2.23.133.8.1"}},
            .directory_name = {{"2.23.133.2.1", "id:49465800"},
                               {"2.23.133.2.2", "SLB9670"},
                               {"2.23.133.2.3", "id:00070055"}}};
  }
  // A TLS client's, with these subjectAltNames: "URI:spiffe://example.org/ci,DNS:a.example.org".
  CertificatePlan client_plan(EVP_PKEY* key, const std::string& names) const {
    return {.subject = "client",
            .issuer = "Lower",
            .key = key,
            .signer = lower_key_.get(),
            .extensions = {{"basicConstraints", "critical,CA:FALSE"},
                           {"keyUsage", "critical,digitalSignature"},
                           {"extendedKeyUsage", "clientAuth,serverAuth"},
                           {"subjectAltName", names}}};
  }
  // What a client shows whose certificate is by `plan`.
  std::string shown(const CertificatePlan& plan) const {
    return pem_chain({make_certificate(plan), lower_, upper_});
  }
  // The certificate for `key` after `edit` has been at its plan.
  Bytes certify(EVP_PKEY* key, const std::function<void(CertificatePlan&)>& edit = {}) const {
    CertificatePlan plan = ek_plan(key);
    if (edit) edit(plan);
    return make_certificate(plan);
  }

 private:
  static std::vector<std::pair<std::string, std::string>> authority() {
    return {{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", "critical,keyCertSign"}};
  }

  openssl::EvpPkey root_key_;
  openssl::EvpPkey upper_key_;
  openssl::EvpPkey lower_key_;
  Bytes root_;
  Bytes upper_;
  Bytes lower_;
};

}  // namespace assay::testing
