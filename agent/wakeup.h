// What the agent's one thread waits for.
#pragma once

#include <chrono>

#include "agent/fd.h"
#include "core/result.h"

namespace assay::agent {

enum class Wake {
  kStop,    // the process is asked to end; every later wait() says so too
  kNotice,  // notify() was called, once or more often, since the last kNotice
  kTick,    // the time that ticks() set has passed
};

// Stop, notices and time, in one place to sleep. wait() and ticks() are for one thread, notify()
// is for any.
class Wakeup {
 public:
  // `stop` becomes readable, and stays so, when the process is to end.
  // Fails with kUnavailable when the kernel has no file descriptors left.
  static Result<Wakeup> make(Fd stop);

  // From one `period` after now on, one tick every `period`; the ticks set before end. At least
  // 1 ms. Ticks that nobody waited for count as one.
  void ticks(std::chrono::milliseconds period);

  void notify();

  // Sleeps until one of the three has happened. Stop goes before notices, notices before ticks.
  Wake wait();

 private:
  Wakeup(Fd stop, Fd notice, Fd timer)
      : stop_(std::move(stop)), notice_(std::move(notice)), timer_(std::move(timer)) {}

  Fd stop_;
  Fd notice_;
  Fd timer_;
};

// Blocks SIGTERM and SIGINT, and returns what becomes readable when one of them comes. Call it
// before any thread is made: threads inherit the block.
// Fails with kUnavailable when the kernel has no file descriptors left.
Result<Fd> stop_signals();

}  // namespace assay::agent
