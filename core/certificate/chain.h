// Reading certificates, and checking chains of them, with OpenSSL's types.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "core/bytes.h"
#include "core/openssl.h"

namespace assay {

inline constexpr std::size_t kMaxChain = 16;  // certificates

// Takes one certificate in DER off the front of `bytes`; null when there is none.
openssl::X509Certificate take_certificate(ByteView& bytes);

// The certificates of a PEM text; other text and blocks between them are passed over. Nothing when a block
// cannot be read, or is called "CERTIFICATE" and is none. At most 2 GiB.
std::optional<std::vector<openssl::X509Certificate>> read_pem_certificates(ByteView text);

// Whether it may sign other certificates, or says that it may.
bool is_authority(X509* certificate);

bool is_valid_at(const X509* certificate, std::chrono::sys_seconds now);

// The subjectAltName; null when there is none that can be read.
openssl::GeneralNames alternative_names(const X509* certificate);

class TrustStore {
 public:
  TrustStore();

  // A self-signed certificate becomes a root.
  void add(openssl::X509Certificate certificate);

  X509_STORE* roots() const { return roots_.get(); }
  std::size_t root_count() const;
  std::string roots_pem() const;
  const std::vector<openssl::X509Certificate>& intermediates() const { return intermediates_; }

 private:
  openssl::X509Store roots_;
  std::vector<openssl::X509Certificate> intermediates_;
};

// What a chain is checked for, beside its signatures.
struct ChainPurpose {
  std::chrono::sys_seconds now{};
  int purpose = 0;  // X509_PURPOSE_…; 0: any
};

// Why a chain is not to be trusted: OpenSSL's error, and the certificate from 0, the leaf.
struct ChainFailure {
  int error = 0;
  int depth = 0;
  std::string text() const;
};

// Checks that `leaf` leads to a root of `trusted` by `chain` and what helps, in keys and signatures of 112
// bits of security or more: neither SHA-1 nor RSA under 2048. A root's own signature proves nothing, and is
// not looked at. RFC 5280, 6.
tl::expected<void, ChainFailure> check_chain(X509* leaf,
                                             const std::vector<openssl::X509Certificate>& chain,
                                             const TrustStore& trusted,
                                             const ChainPurpose& purpose);

}  // namespace assay
