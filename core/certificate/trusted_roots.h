// What chains of certificates may end at.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"

namespace assay {

class TrustStore;  // OpenSSL's: core/certificate/chain.h

// The certificates that a chain may end at, and others that help to build it. Immutable; cheap to copy;
// safe from any thread.
class TrustedRoots {
 public:
  TrustedRoots();  // none: no certificate is trusted

  const TrustStore& store() const { return *store_; }
  std::size_t size() const { return size_; }  // of roots
  std::string pem() const;                    // the roots, a block each

 private:
  friend Result<TrustedRoots> parse_trusted_roots(const std::vector<Bytes>&);
  std::shared_ptr<const TrustStore> store_;
  std::size_t size_ = 0;
};

// Reads certificates, each file PEM (any number of blocks) or DER (one), of at most 16 MiB. Those
// that are self-issued are roots; the others help to build chains and are never trusted by
// themselves.
// Fails with kConfigInvalid for a file with none, or with a block "CERTIFICATE" that is none: read alone,
// the file can be named. Other blocks are passed over. Pure.
Result<TrustedRoots> parse_trusted_roots(const std::vector<Bytes>& files);

}  // namespace assay
