// The keys that an issuer publishes: a JWK Set (RFC 7517).
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/signature/token_key.h"

namespace assay {

inline constexpr std::size_t kMaxKeySetBytes = std::size_t{256} << 10;
inline constexpr std::size_t kMaxKeySetKeys = 64;
inline constexpr std::size_t kMaxKeyIdBytes = 256;

// Keys by name; at least one. Only parse_key_set() makes one.
class KeySet {
 public:
  // Null when there is none. Valid as long as the set.
  const TokenKey* find(std::string_view key_id) const;
  std::size_t size() const { return keys_.size(); }

 private:
  friend Result<KeySet> parse_key_set(ByteView);
  std::map<std::string, TokenKey, std::less<>> keys_;
};

// Reads a JWK Set, untrusted. Passed over, as RFC 7517 (5) asks, are keys that no token can be checked with:
// without `kid`; of another type than RSA and P-256, or out of TokenKey's limits; whose `use` is not "sig",
// whose `key_ops` do not hold "verify", or whose `alg` is not that of TokenKey for its type.
//
// Fails with kIdentityKeysMalformed: over kMaxKeySetBytes or kMaxKeySetKeys; not JSON as
// parse_strict_object() has it; a key that is no object, or has a `kid`, `use`, `alg` or `key_ops` of another
// form; a private key; two usable keys of one `kid`; no usable key. Pure.
Result<KeySet> parse_key_set(ByteView json);

}  // namespace assay
