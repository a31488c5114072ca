#include "verifier/cluster/retry_pause.h"

#include <doctest/doctest.h>

using namespace assay;
using namespace std::chrono_literals;

TEST_CASE("RetryPause: doubles up to the longest, and begins anew") {
  RetryPause pause(1s, 60s);
  for (const auto want : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) CHECK(pause.next() == want);
  pause.reset();
  CHECK(pause.next() == 1s);
}
