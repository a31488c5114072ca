// X.509 certificates as people read them: whose key is it?
#pragma once

#include <optional>
#include <string>

#include "core/digest.h"

namespace assay {

inline constexpr std::size_t kMaxKeyBytes = std::size_t{64} << 10;

// What a certificate says of itself. Nobody has checked who signed it.
struct CertificateFacts {
  std::string subject;  // its common name, else its organisation, else nothing: raw bytes
  std::string key;      // algorithm and bits: "RSA 2048"
  std::string serial;   // hex, with a '-' in front when it is negative
  Digest sha256;        // of the DER
};

// Reads one certificate in DER. `der` is untrusted; nothing for what is no certificate, has bytes left
// over, or is over kMaxKeyBytes. Total and pure.
std::optional<CertificateFacts> read_certificate(ByteView der);

// The DER of one certificate that a person gave as PEM or DER; nothing when it is neither. PEM may hold
// one certificate; other blocks and text are passed over. Total and pure.
std::optional<Bytes> certificate_der(ByteView file);

}  // namespace assay
