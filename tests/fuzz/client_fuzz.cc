// No certificates that a client can show may crash their reader, and nobody is a client but whom the seed's
// authority has certified.
#include <openssl/evp.h>

#include "core/certificate/client_certificate.h"
#include "tests/fuzz/check.h"

namespace assay {
namespace {

// Made for the seeds with openssl; its key is gone.
constexpr std::string_view kAuthority =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBlTCCATugAwIBAgIUNCcPuypDNWJV+Vhp8hUVeCG+7+kwCgYIKoZIzj0EAwIw\n"
    "GDEWMBQGA1UEAwwNQXNzYXkgZnV6eiBDQTAeFw0yNjExMjkyMDE2NDlaFw00NjEx\n"
    "MjQyMDE2NDlaMBgxFjAUBgNVBAMMDUFzc2F5IGZ1enogQ0EwWTATBgcqhkjOPQIB\n"
    "BggqhkjOPQMBBwNCAASSj6bE5o6fzDIP5DDa6cNIB1Fcv/Z9aiRei3bdO9VdY/1b\n"
    "oBrxBzC7HRC3UxasFTF3F3KugRhesJh44R5HW6fNo2MwYTAdBgNVHQ4EFgQU/Oo9\n"
    "Vkguxs1vHz9+I71lpZGIWt4wHwYDVR0jBBgwFoAU/Oo9Vkguxs1vHz9+I71lpZGI\n"
    "Wt4wDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAgQwCgYIKoZIzj0EAwID\n"
    "SAAwRQIgMCp2lv9Gs5G9FSRXYMy2GfvmyDLegC86oFKYzoG6lhECIQDXqfaLabk4\n"
    "YxlNdgRW8XZ9qboaIR61124puoM2aGGjAA==\n"
    "-----END CERTIFICATE-----\n";
constexpr std::chrono::sys_seconds kNow = std::chrono::sys_days(std::chrono::year(2027) / 1 / 1);

std::string pem_of(ByteView der) {
  Bytes encoded(4 * ((der.size() + 2) / 3) + 1);
  const int size = EVP_EncodeBlock(encoded.data(), der.data(), static_cast<int>(der.size()));
  const std::string_view base64 = as_text(ByteView(encoded).first(static_cast<std::size_t>(size)));
  std::string out = "-----BEGIN CERTIFICATE-----\n";
  for (std::size_t at = 0; at < base64.size(); at += 64) out.append(base64.substr(at, 64)) += '\n';
  return out + "-----END CERTIFICATE-----\n";
}

void check_chain(std::string_view chain) {
  static const TrustedRoots kRoots = [] {
    const ByteView pem = as_bytes(kAuthority);
    return parse_trusted_roots({Bytes(pem.begin(), pem.end())}).value();
  }();
  const auto client = verify_client_certificate(chain, kRoots, kNow);
  if (!client) return;
  FUZZ_CHECK(client->uri() == "spiffe://example.org/ci/shop");
  FUZZ_CHECK(client->dns() == std::vector<std::string>{"builder.example.org"});
}

}  // namespace
}  // namespace assay

// As a chain in PEM, and as one certificate in DER.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const assay::ByteView input(data, size);
  assay::check_chain(assay::as_text(input));
  assay::check_chain(assay::pem_of(input));
  return 0;
}
