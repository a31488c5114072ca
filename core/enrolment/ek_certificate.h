// The endorsement certificate: a TPM vendor's word that an endorsement key is in a TPM of theirs.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/certificate/trusted_roots.h"
#include "core/enrolment/ek_public.h"

namespace assay {

// An endorsement certificate as the node gave it, with what the node says leads to a root.
struct UntrustedEkCertificate {
  Bytes certificate;         // the content of the TPM's NV index; at most 8 KiB
  std::vector<Bytes> chain;  // at most 8 KiB each, of one or more certificates; 16 in all
};

// A TPM whose endorsement certificate was checked. Only verify_ek_certificate() makes one.
class EndorsedEk {
 public:
  const EkPublic& ek() const { return ek_; }
  // TCG's vendor id as the certificate has it, such as "id:49465800", or empty.
  const std::string& manufacturer() const { return manufacturer_; }

 private:
  friend Result<EndorsedEk> verify_ek_certificate(const UntrustedEkCertificate&, const EkPublic&,
                                                  const TrustedRoots&, std::chrono::sys_seconds);
  friend EndorsedEk trust_without_certificate(EkPublic);
  EndorsedEk(EkPublic ek, std::string manufacturer)
      : ek_(std::move(ek)), manufacturer_(std::move(manufacturer)) {}
  EkPublic ek_;
  std::string manufacturer_;
};

// Checks that a vendor in `roots` has certified `ek`.
//
// Certificates are DER; a header 10 01 00 with its 16-bit size, and the bytes 00 or ff that fill up
// the NV index, are taken off. A key that is marked as for RSAES-OAEP only is an RSA key.
//
// Fails with, in the order checked:
//   kEkCertificateMalformed    too large, too many; not X.509; other bytes left over
//   kEkCertificateKeyMismatch  it certifies another key than `ek`
//   kEkCertificateUsage        no extended key usage 2.23.133.8.1 (tcg-kp-EKCertificate), or it is a
//                              CA's
//   kEkCertificateExpired      it is not valid at `now`, or leads to a root by one that is not
//   kEkCertificateUntrusted    no chain to a root; a signature that does not verify; a chain with
//                              SHA-1 signatures, keys under 112 bits of security, or critical
//                              extensions that we do not know
//
// A critical subjectAltName with the TCG's directory attributes is known. A root's own signature,
// which proves nothing, may be SHA-1. Revocation is not looked at: vendors' lists are on networks
// that a verifier may not reach. Pure.
//
// TCG EK Credential Profile 2.5, 3 (certificate) and 2.2.1.4, 2.2.1.5 (NV indices); TCG PC Client
// Implementation for 1.2, 7.3.2 (header); RFC 5280.
Result<EndorsedEk> verify_ek_certificate(const UntrustedEkCertificate& untrusted,
                                         const EkPublic& ek, const TrustedRoots& roots,
                                         std::chrono::sys_seconds now);

// An endorsement key that an operator's policy names: it needs no certificate.
EndorsedEk trust_without_certificate(EkPublic ek);

}  // namespace assay
