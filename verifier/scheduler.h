// The thread that makes things happen on time.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "verifier/clock.h"

namespace assay {

// Calls `tick` on a thread of its own: at the time that the last call asked for, and at once after
// wake(). Destruction ends the thread after the call that runs.
class Scheduler {
 public:
  Scheduler(const Clock& clock, std::function<Instant()> tick);

  // Safe from any thread.
  void wake();

 private:
  void run(const std::stop_token& stop);

  const Clock& clock_;
  std::function<Instant()> tick_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = false;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace assay
