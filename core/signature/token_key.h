// A key that signs identity tokens: what a CI system's issuer publishes.
//
// Source: RFC 7518 (JSON Web Algorithms): 3.3 RSASSA-PKCS1-v1_5, 3.4 ECDSA, 6.2 and 6.3 keys.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "core/bytes.h"

namespace assay {

class EvpKey;  // OpenSSL's: core/openssl.h

// The signatures that Assay accepts in tokens. A key has exactly one of them: no token can choose.
enum class TokenAlgorithm : std::uint8_t {
  kRs256,  // RSA PKCS #1 v1.5 with SHA-256
  kEs256,  // ECDSA on P-256 with SHA-256
};
std::string_view token_algorithm_name(TokenAlgorithm algorithm);  // "RS256"
std::optional<TokenAlgorithm> token_algorithm_by_name(std::string_view name);

// A public key. Only the two functions below make one. Cheap to copy; immutable; safe from any thread.
class TokenKey {
 public:
  TokenAlgorithm algorithm() const { return algorithm_; }

  // Whether `signature`, untrusted, is this key's over `message`. An ES256 signature is r and s of 32 bytes
  // each (RFC 7518, 3.4), nothing shorter, longer or in DER.
  bool verify(ByteView message, ByteView signature) const;

 private:
  friend std::optional<TokenKey> rsa_token_key(ByteView, ByteView);
  friend std::optional<TokenKey> p256_token_key(ByteView, ByteView);
  TokenKey(TokenAlgorithm algorithm, std::shared_ptr<const EvpKey> key)
      : algorithm_(algorithm), key_(std::move(key)) {}

  TokenAlgorithm algorithm_;
  std::shared_ptr<const EvpKey> key_;
};

// A key for RS256, of big-endian numbers. Nothing unless the modulus has 2048 to 8192 bits and the exponent
// is 65537. Pure.
std::optional<TokenKey> rsa_token_key(ByteView modulus, ByteView exponent);

// A key for ES256, of the coordinates of a point. Nothing unless each has 32 bytes and the point is on
// P-256. Pure.
std::optional<TokenKey> p256_token_key(ByteView x, ByteView y);

}  // namespace assay
