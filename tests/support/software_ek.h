// A TPM's endorsement key, and what TPM2_ActivateCredential does with it, written from the
// specification and not from core/enrolment, so that it can judge that.
#pragma once

#include <tss2/tss2_tpm2_types.h>

#include <functional>
#include <optional>
#include <string>

#include "core/enrolment/credential.h"
#include "core/openssl.h"

namespace assay::testing {

struct EkKind {
  std::string algorithm;  // "RSA-2048", or a curve as OpenSSL calls it: "P-256"
  HashAlg name_alg = HashAlg::kSha256;
  std::uint16_t aes_bits = 128;
};

class SoftwareEk {
 public:
  explicit SoftwareEk(const EkKind& kind);

  // The key as TPM2B_PUBLIC, edited by `tamper` before it is marshalled.
  Bytes encoded(const std::function<void(TPMT_PUBLIC&)>& tamper = {}) const;
  EkPublic ek() const;
  EVP_PKEY* key() const { return key_.get(); }

  // The secret in `credential`, when it is for this key and for an object of this name.
  std::optional<Bytes> activate(const Credential& credential, ByteView name) const;

 private:
  std::optional<Bytes> open_rsa_seed(ByteView encrypted) const;
  std::optional<Bytes> open_ecc_seed(ByteView encrypted) const;

  EkKind kind_;
  openssl::EvpPkey key_;
};

}  // namespace assay::testing
