// Time, as an argument: the only place that asks the system for it is clock.cc.
#pragma once

#include <chrono>

#include "core/verdict.h"

namespace assay {

// Safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;                         // UTC
  virtual std::chrono::nanoseconds monotonic() const = 0;  // since some moment; for durations
};

class SystemClock final : public Clock {
 public:
  Instant now() const override;
  std::chrono::nanoseconds monotonic() const override;
};

}  // namespace assay
