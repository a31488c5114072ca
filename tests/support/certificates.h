// X.509 certificates of any shape, good and bad.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/bytes.h"
#include "core/openssl.h"

namespace assay::testing {

struct CertificatePlan {
  std::string subject;  // common name
  std::string issuer;   // likewise
  EVP_PKEY* key = nullptr;
  EVP_PKEY* signer = nullptr;
  std::chrono::sys_seconds not_before = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
  std::chrono::sys_seconds not_after = std::chrono::sys_days(std::chrono::year(2046) / 1 / 1);
  // As OpenSSL's configuration has them: {"basicConstraints", "critical,CA:TRUE"}.
  std::vector<std::pair<std::string, std::string>> extensions = {};
  // A critical subjectAltName with one directory name: object identifiers and their values.
  std::vector<std::pair<std::string, std::string>> directory_name = {};
  const EVP_MD* hash = EVP_sha256();
  std::function<void(X509*)> edit = {};  // before it is signed
};

// The certificate in DER. Ends the process when OpenSSL cannot make it.
Bytes make_certificate(const CertificatePlan& plan);

// `der`, which an RSA key signed, with what it signs edited and signed again by `signer`. The edit
// keeps its size.
Bytes signed_again(Bytes der, EVP_PKEY* signer, const std::function<void(Bytes&)>& edit);

// DER as a PEM block.
Bytes to_pem(ByteView der, const std::string& name = "CERTIFICATE");

// Certificates in DER as PEM blocks, one after another.
std::string pem_chain(const std::vector<Bytes>& certificates);

}  // namespace assay::testing
