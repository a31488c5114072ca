// An issuer's keys, kept fresh by a thread of their own.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "verifier/guarded.h"
#include "verifier/identity/key_cache.h"
#include "verifier/identity/key_source.h"
#include "verifier/scheduler.h"

namespace assay {

// Sees keys being fetched: log. Called from the thread that fetches.
class KeyWatcher {
 public:
  virtual ~KeyWatcher() = default;
  // The first success, and the first after a failure.
  virtual void keys_fetched(std::string_view issuer, std::size_t keys) = 0;
  virtual void keys_not_fetched(std::string_view issuer, const Fault& why) = 0;
};

// Fetches at once, and then as KeyCache says; one fetch at a time, and no caller waits for it. Borrows clock
// and watcher.
class FetchedKeys final : public KeySource {
 public:
  using Fetch = std::function<Result<KeySet>(const std::stop_token&)>;

  FetchedKeys(std::string issuer, Fetch fetch, const Clock& clock, KeyWatcher& watcher);
  ~FetchedKeys() override { stop_.request_stop(); }

  Result<TokenKey> key(std::string_view key_id) override;

 private:
  Instant tick();
  void tell(const Result<KeySet>& fetched);

  std::string issuer_;
  Fetch fetch_;
  const Clock& clock_;
  KeyWatcher& watcher_;
  std::stop_source stop_;
  Guarded<KeyCache> cache_;
  bool well_ = false;    // the last fetch, for the watcher; of the thread alone
  Scheduler scheduler_;  // last: its thread uses all of the above
};

}  // namespace assay
