#include "verifier/identity/key_cache.h"

namespace assay {

bool KeyCache::may_fetch(Instant now) const {
  return !fetching_ && (!begun_at_ || now >= *begun_at_ + kMinKeyFetchPause);
}

KeyCache::Lookup KeyCache::find(std::string_view key_id, Instant now) {
  const bool usable = keys_ && now < fetched_at_ + kMaxKeyAge;
  const TokenKey* found = usable ? keys_->find(key_id) : nullptr;
  if (found != nullptr) return {.key = *found};
  asked_ = asked_ || may_fetch(now);
  if (fetching_ || asked_) {
    return {.key = fail(FaultId::kIdentityKeysUnavailable, "they are being fetched; try again"),
            .wants_fetch = asked_};
  }
  if (failed_ || !usable) {
    return {.key = fail(FaultId::kIdentityKeysUnavailable, "the issuer could not be asked")};
  }
  return {.key = fail(FaultId::kIdentityKeyUnknown, "the issuer does not publish it")};
}

bool KeyCache::begin(Instant now) {
  if (!may_fetch(now) || (!asked_ && now < next_)) return false;
  begun_at_ = now;
  fetching_ = true;
  asked_ = false;
  return true;
}

void KeyCache::end(Result<KeySet> fetched, Instant now) {
  fetching_ = false;
  failed_ = !fetched;
  next_ = now + (failed_ ? std::chrono::seconds(kKeyRetry) : std::chrono::seconds(kKeyRefresh));
  if (failed_) return;
  keys_ = *std::move(fetched);
  fetched_at_ = now;
}

}  // namespace assay
