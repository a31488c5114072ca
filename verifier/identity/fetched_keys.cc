#include "verifier/identity/fetched_keys.h"

#include <utility>

namespace assay {

FetchedKeys::FetchedKeys(std::string issuer, Fetch fetch, const Clock& clock, KeyWatcher& watcher)
    : issuer_(std::move(issuer)),
      fetch_(std::move(fetch)),
      clock_(clock),
      watcher_(watcher),
      scheduler_(clock, [this] { return tick(); }) {}

Result<TokenKey> FetchedKeys::key(std::string_view key_id) {
  const Instant now = clock_.now();
  KeyCache::Lookup found = cache_.with([&](KeyCache& cache) { return cache.find(key_id, now); });
  if (found.wants_fetch) scheduler_.wake();
  return std::move(found.key);
}

Instant FetchedKeys::tick() {
  const Instant now = clock_.now();
  if (cache_.with([&](KeyCache& cache) { return cache.begin(now); })) {
    Result<KeySet> fetched = fetch_(stop_.get_token());  // outside the lock: pushes go on
    if (!stop_.stop_requested()) tell(fetched);
    cache_.with([&](KeyCache& cache) { cache.end(std::move(fetched), clock_.now()); });
  }
  return cache_.with([](const KeyCache& cache) { return cache.next(); });
}

void FetchedKeys::tell(const Result<KeySet>& fetched) {
  if (!fetched) {
    watcher_.keys_not_fetched(issuer_, fetched.error());
  } else if (!well_) {
    watcher_.keys_fetched(issuer_, fetched->size());
  }
  well_ = fetched.has_value();
}

}  // namespace assay
