// Where an issuer's keys come from.
#pragma once

#include <string_view>

#include "core/result.h"
#include "verifier/identity/key_set.h"

namespace assay {

// Safe from any thread.
class KeySource {
 public:
  virtual ~KeySource() = default;

  // The key of that name; never waits for one. Fails with kIdentityKeyUnknown, or with
  // kIdentityKeysUnavailable when it may be known soon.
  virtual Result<TokenKey> key(std::string_view key_id) = 0;
};

// Keys that do not change.
class FixedKeys final : public KeySource {
 public:
  explicit FixedKeys(KeySet keys) : keys_(std::move(keys)) {}

  Result<TokenKey> key(std::string_view key_id) override {
    if (const TokenKey* found = keys_.find(key_id)) return *found;
    return fail(FaultId::kIdentityKeyUnknown, "it is not in the issuer's jwks_file");
  }

 private:
  KeySet keys_;
};

}  // namespace assay
