// A certificate authority of a test's own.
#pragma once

#include <string>

#include "core/bytes.h"
#include "core/openssl.h"

namespace assay::testing {

class TestCa {
 public:
  TestCa();

  const std::string& certificate_pem() const { return certificate_pem_; }

  struct Identity {
    std::string certificate_pem;
    std::string key_pem;
  };
  // A server's certificate and key. `names` as OpenSSL writes subjectAltName:
  // "DNS:localhost,IP:127.0.0.1".
  Identity issue(const std::string& names) const;

 private:
  openssl::EvpPkey key_;
  std::string certificate_pem_;
};

}  // namespace assay::testing
