#include "agent/backoff.h"

#include <doctest/doctest.h>

namespace assay::agent {
namespace {

using namespace std::chrono_literals;
constexpr double kAlmostOne = 0.999999;

TEST_CASE("Backoff: the ceiling doubles from half a second to thirty") {
  Backoff backoff;
  for (const auto ceiling : {500ms, 1000ms, 2000ms, 4000ms, 8000ms, 16000ms, 30000ms, 30000ms}) {
    const auto wait = backoff.next(kAlmostOne);
    CHECK(wait < ceiling);
    CHECK(wait >= ceiling - 1ms);
  }
}

TEST_CASE("Backoff: a wait can be anything down to none") {
  Backoff backoff;
  CHECK(backoff.next(0) == 0ms);
  CHECK(backoff.next(0.5) == 500ms);  // half of the second ceiling
}

TEST_CASE("Backoff: a failure that needs a person waits at least half of the longest") {
  Backoff backoff;
  CHECK(backoff.slow(0) == 15s);
  CHECK(backoff.slow(kAlmostOne) < 30s);
  CHECK(backoff.next(kAlmostOne) >= 29s);
}

TEST_CASE("Backoff: after success the next failure is a first one") {
  Backoff backoff;
  for (int i = 0; i < 9; ++i) (void)backoff.next(kAlmostOne);
  backoff.reset();
  CHECK(backoff.next(kAlmostOne) < 500ms);
}

}  // namespace
}  // namespace assay::agent
