// The moment of a kill.
#pragma once

#include <poll.h>

#include <chrono>
#include <ctime>

namespace assay::testing {

// Lets `time` pass, shorter than a second. A test that kills a program goes through the moments of
// doing it, or draws them by lot: it waits for nothing.
inline void pass(std::chrono::microseconds time) {
  const timespec pause = {.tv_sec = 0, .tv_nsec = time.count() * 1000};
  ::ppoll(nullptr, 0, &pause, nullptr);
}

}  // namespace assay::testing
