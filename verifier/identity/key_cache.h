// When an issuer's keys are fetched, and for how long they are used.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "core/verdict.h"
#include "verifier/identity/key_set.h"

namespace assay {

inline constexpr std::chrono::minutes kKeyRefresh{15};        // after a success
inline constexpr std::chrono::seconds kKeyRetry{30};          // after a failure
inline constexpr std::chrono::seconds kMinKeyFetchPause{10};  // whatever callers ask for
inline constexpr std::chrono::hours kMaxKeyAge{24};           // while the issuer does not answer

// The caller fetches between begin() and end(), and asks meanwhile what is here. Time is an argument.
class KeyCache {
 public:
  struct Lookup {
    Result<TokenKey> key;
    bool wants_fetch = false;  // begin() would be true
  };
  // The key of that name, of a set that is not older than kMaxKeyAge. What is not here is
  // kIdentityKeysUnavailable as long as a fetch may still bring it, or the last one failed, and
  // kIdentityKeyUnknown otherwise.
  Lookup find(std::string_view key_id, Instant now);

  // Whether to fetch now: it is time, or somebody has asked for a key that is not here and the last fetch
  // began kMinKeyFetchPause ago.
  bool begin(Instant now);
  // What the fetch has brought. A failure changes no key.
  void end(Result<KeySet> fetched, Instant now);
  // When to call begin() again, if nobody asks before.
  Instant next() const { return next_; }

 private:
  bool may_fetch(Instant now) const;

  std::optional<KeySet> keys_;
  Instant fetched_at_{};
  std::optional<Instant> begun_at_;
  Instant next_{};  // at once
  bool fetching_ = false;
  bool failed_ = true;  // the last fetch, or there was none
  bool asked_ = false;
};

}  // namespace assay
