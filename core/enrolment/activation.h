// The proof that an attestation key is in the TPM of an endorsement key.
#pragma once

#include <chrono>
#include <string>

#include "core/enrolment/credential.h"
#include "core/enrolment/ek_certificate.h"
#include "core/verdict.h"

namespace assay {

// How long a TPM has to open a credential: some take half a minute to make an RSA endorsement key.
inline constexpr std::chrono::minutes kCredentialLifetime{2};

// An attestation key and the endorsement key of the TPM that it lives in. Only a credential that came
// back makes one.
class ProvenTpm {
 public:
  const AkPublic& ak() const { return ak_; }
  const EkPublic& ek() const { return ek_; }
  // TCG's vendor id, as EndorsedEk has it; empty without a certificate.
  const std::string& manufacturer() const { return manufacturer_; }

 private:
  friend class OutstandingCredential;
  ProvenTpm(AkPublic ak, EkPublic ek, std::string manufacturer)
      : ak_(std::move(ak)), ek_(std::move(ek)), manufacturer_(std::move(manufacturer)) {}

  AkPublic ak_;
  EkPublic ek_;
  std::string manufacturer_;
};

// A credential that is out, and what it is for. Opened once: open() uses it up.
class OutstandingCredential {
 public:
  // Makes a credential for both keys. `secret` is fresh, and for this one only.
  // Fails as check_enrollable() and make_credential().
  static Result<OutstandingCredential> issue(AkPublic ak, EndorsedEk endorsed,
                                             const CredentialSecret& secret, Instant now);

  const Credential& credential() const { return credential_; }

  // What the TPM says was in it. Fails with kEnrolCredentialExpired after kCredentialLifetime, and
  // with kEnrolCredentialMismatch for anything but the secret; compares in constant time.
  Result<ProvenTpm> open(ByteView secret, Instant now) &&;

 private:
  OutstandingCredential(AkPublic ak, EndorsedEk endorsed, const CredentialSecret& secret)
      : ak_(std::move(ak)), endorsed_(std::move(endorsed)), secret_(secret) {}

  AkPublic ak_;
  EndorsedEk endorsed_;
  CredentialSecret secret_;
  Credential credential_;
  Instant issued_at_{};
};

}  // namespace assay
