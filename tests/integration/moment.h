// The moment of a kill.
#pragma once

#include <poll.h>

#include <chrono>
#include <ctime>

namespace assay::testing {

// Lets `time` pass. A test that kills a program goes through the moments of
// doing it, or draws them by lot: it waits for nothing.
inline void pass(std::chrono::microseconds time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const timespec pause = {.tv_sec = seconds.count(),
                          .tv_nsec = std::chrono::nanoseconds(time - seconds).count()};
  ::ppoll(nullptr, 0, &pause, nullptr);
}

}  // namespace assay::testing
