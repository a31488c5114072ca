// Who a TLS client is: the names that an authority has certified.
//
// Source: RFC 5280, 4.2.1.3, 4.2.1.6, 4.2.1.10, 4.2.1.12 and 6; SPIFFE X.509-SVID, 2 to 5.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/certificate/trusted_roots.h"
#include "core/result.h"

namespace assay {

inline constexpr std::size_t kMaxClientChainBytes = std::size_t{64} << 10;

// The names in a client certificate that was checked. Only verify_client_certificate() makes one.
class ClientCertificate {
 public:
  // The only URI, as it is written, or empty.
  const std::string& uri() const { return uri_; }
  // In lower case; a wildcard is a name as any other, and stands for no host.
  const std::vector<std::string>& dns() const { return dns_; }

 private:
  friend Result<ClientCertificate> verify_client_certificate(std::string_view, const TrustedRoots&,
                                                             std::chrono::sys_seconds);
  ClientCertificate() = default;
  std::string uri_;
  std::vector<std::string> dns_;
};

// Checks that an authority in `roots` has certified a client. `chain`, untrusted, is what the client has
// shown, PEM, its own first, of which TLS has proven that the client has its key; 16 certificates at most.
//
// Fails with, in the order checked:
//   kIdentityCertificateUnfit       too large, too many, no certificates; an authority's, or not for clients
//                                   (key usage, extended key usage); no URI and no DNS name in it, several
//                                   URIs, a name that is not printable ASCII
//   kIdentityCertificateUntrusted   no chain to a root; names that an authority may not certify, or clients at
//                                   all; a signature that does not verify, or is weak: as check_chain()
//   kIdentityNotYetValid, kIdentityExpired   at `now`, or it leads to a root by one that is not valid
//
// The subject's common name is never looked at. Revocation is not either: such certificates are to be
// short-lived. Pure.
Result<ClientCertificate> verify_client_certificate(std::string_view chain,
                                                    const TrustedRoots& roots,
                                                    std::chrono::sys_seconds now);

}  // namespace assay
