// A clock that stands until a test moves it.
#pragma once

#include <atomic>

#include "verifier/clock.h"

namespace assay::testing {

class FakeClock final : public Clock {
 public:
  Instant now() const override { return Instant(std::chrono::milliseconds(now_ms_.load())); }
  std::chrono::nanoseconds monotonic() const override {
    return std::chrono::milliseconds(now_ms_.load());
  }
  void advance(std::chrono::milliseconds by) { now_ms_ += by.count(); }

 private:
  std::atomic<std::int64_t> now_ms_ = 1'700'000'000'000;
};

}  // namespace assay::testing
