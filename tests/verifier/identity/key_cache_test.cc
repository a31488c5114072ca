#include "verifier/identity/key_cache.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"
#include "tests/support/token_signer.h"

using namespace assay;
using namespace assay::testing;
using std::chrono::seconds;

namespace {

constexpr Instant kThen{seconds(1'700'000'000)};

KeySet set_of(const std::string& kid) {
  static const TokenSigner signer = TokenSigner::ec();
  return *parse_key_set(as_bytes(TokenSigner::key_set(signer.jwk(kid))));
}

tl::unexpected<Fault> down() {
  return fail(FaultId::kIdentityKeysUnavailable, "down");
}

}  // namespace

TEST_CASE("KeyCache: fetches at once, and again in time") {
  KeyCache cache;
  CHECK(cache.begin(kThen));
  CHECK_FALSE(cache.begin(kThen));  // one at a time
  CHECK_FALSE(cache.begin(kThen + kKeyRefresh));
  cache.end(set_of("a"), kThen + seconds(2));
  CHECK(cache.find("a", kThen + seconds(2)).key.has_value());
  CHECK(cache.next() == kThen + seconds(2) + kKeyRefresh);
  CHECK_FALSE(cache.begin(cache.next() - seconds(1)));
  CHECK(cache.begin(cache.next()));
  CHECK(cache.find("a", cache.next()).key.has_value());  // meanwhile too
  cache.end(down(), cache.next());
  CHECK(cache.next() == kThen + seconds(2) + kKeyRefresh + kKeyRetry);
}

TEST_CASE("KeyCache: a key that is not here is fetched, but not for each who asks") {
  KeyCache cache;
  REQUIRE(cache.begin(kThen));
  const auto during = cache.find("b", kThen);
  CHECK(fault_of(during.key) == FaultId::kIdentityKeysUnavailable);
  CHECK_FALSE(during.wants_fetch);
  cache.end(set_of("a"), kThen);

  const auto too_soon = cache.find("b", kThen + kMinKeyFetchPause - seconds(1));
  CHECK(fault_of(too_soon.key) == FaultId::kIdentityKeyUnknown);
  CHECK_FALSE(too_soon.wants_fetch);
  CHECK_FALSE(cache.begin(kThen + kMinKeyFetchPause));  // nobody has asked in time

  const Instant later = kThen + kMinKeyFetchPause;
  const auto asked = cache.find("b", later);
  CHECK(fault_of(asked.key) == FaultId::kIdentityKeysUnavailable);
  CHECK(asked.wants_fetch);
  CHECK(cache.find("a", later).key.has_value());
  CHECK_FALSE(cache.find("a", later).wants_fetch);
  REQUIRE(cache.begin(later));
  cache.end(set_of("b"), later);
  CHECK(cache.find("b", later).key.has_value());
  CHECK(fault_of(cache.find("a", later).key) == FaultId::kIdentityKeyUnknown);  // rotated out
}

TEST_CASE("KeyCache: old keys are used while the issuer is down, for a day") {
  KeyCache cache;
  REQUIRE(cache.begin(kThen));
  cache.end(set_of("a"), kThen);
  Instant now = kThen;
  while (now + kKeyRefresh < kThen + kMaxKeyAge) {
    now = cache.next();
    REQUIRE(cache.begin(now));
    cache.end(down(), now);
    CHECK(cache.find("a", now).key.has_value());
  }
  const Instant end = kThen + kMaxKeyAge;
  CHECK(cache.find("a", end - seconds(1)).key.has_value());
  CHECK(fault_of(cache.find("a", end).key) == FaultId::kIdentityKeysUnavailable);
  REQUIRE(cache.begin(end + kKeyRetry));
  cache.end(set_of("a"), end + kKeyRetry);
  CHECK(cache.find("a", end + kKeyRetry).key.has_value());
}

TEST_CASE("KeyCache: without an answer nobody is said to be unknown") {
  KeyCache cache;
  REQUIRE(cache.begin(kThen));
  cache.end(down(), kThen);
  CHECK(fault_of(cache.find("a", kThen).key) == FaultId::kIdentityKeysUnavailable);
  CHECK(cache.find("a", kThen + kMinKeyFetchPause).wants_fetch);
}
