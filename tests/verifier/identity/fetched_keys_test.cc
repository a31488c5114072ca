#include "verifier/identity/fetched_keys.h"

#include <doctest/doctest.h>

#include <latch>

#include "tests/support/child_process.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_of.h"
#include "tests/support/token_signer.h"
#include "tests/verifier/identity/issuer_server.h"
#include "verifier/identity/key_fetch.h"

using namespace assay;
using namespace assay::testing;

namespace {

struct Watcher final : KeyWatcher {
  void keys_fetched(std::string_view, std::size_t keys) override { fetched += keys; }
  void keys_not_fetched(std::string_view, const Fault&) override { ++failed; }
  std::atomic<std::size_t> fetched = 0;
  std::atomic<std::size_t> failed = 0;
};

std::string keys(const std::string& kid) {
  static const TokenSigner signer = TokenSigner::ec();
  return TokenSigner::key_set(signer.jwk(kid));
}

}  // namespace

TEST_CASE("FetchedKeys: follows an issuer that changes its keys, and that is down") {
  IssuerServer server;
  server.publish(keys("old"));
  FakeClock clock;
  Watcher watcher;
  const KeyIssuer issuer{.issuer = server.issuer(), .ca_file = server.ca_file()};
  FetchedKeys source(
      issuer.issuer, [&](const std::stop_token& stop) { return fetch_keys(issuer, clock, stop); },
      clock, watcher);
  const auto has = [&](const std::string& kid) { return source.key(kid).has_value(); };
  CHECK(eventually([&] { return has("old"); }));
  CHECK(watcher.fetched == 1);

  server.publish(keys("new"));
  CHECK(fault_of(source.key("new")) == FaultId::kIdentityKeyUnknown);  // it was asked just now
  clock.advance(kMinKeyFetchPause);
  CHECK(fault_of(source.key("new")) == FaultId::kIdentityKeysUnavailable);
  CHECK(eventually([&] { return has("new"); }));
  CHECK(fault_of(source.key("old")) == FaultId::kIdentityKeyUnknown);
  CHECK(watcher.fetched == 1);  // said when it begins to work

  server.fail();
  clock.advance(kMinKeyFetchPause);
  CHECK(fault_of(source.key("newer")) == FaultId::kIdentityKeysUnavailable);
  CHECK(eventually([&] { return watcher.failed == 1; }));
  CHECK(has("new"));
  clock.advance(kMaxKeyAge);
  CHECK_FALSE(has("new"));
  CHECK(eventually([&] { return watcher.failed == 2; }));
  server.publish(keys("new"));
  clock.advance(kMinKeyFetchPause);
  CHECK(eventually([&] { return has("new"); }));
  CHECK(watcher.fetched == 2);
}

TEST_CASE("FetchedKeys: nobody waits for a fetch, of which there is one at a time") {
  FakeClock clock;
  Watcher watcher;
  std::latch begun(1);
  std::atomic<int> fetches = 0;
  {
    FetchedKeys source(
        "https://i",
        [&](const std::stop_token& stop) -> Result<KeySet> {
          if (++fetches == 1) begun.count_down();
          std::latch stopped(1);
          const std::stop_callback wake(stop, [&] { stopped.count_down(); });
          stopped.wait();
          return fail(FaultId::kIdentityKeysUnavailable, "stopped");
        },
        clock, watcher);
    begun.wait();
    for (int i = 0; i < 100; ++i) {
      clock.advance(kKeyRefresh);
      CHECK(fault_of(source.key("a")) == FaultId::kIdentityKeysUnavailable);
    }
  }
  CHECK(fetches == 1);
  CHECK(watcher.failed == 0);  // we have stopped it
}
