#include "verifier/scheduler.h"

#include <utility>

namespace assay {

Scheduler::Scheduler(const Clock& clock, std::function<Instant()> tick)
    : clock_(clock),
      tick_(std::move(tick)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void Scheduler::wake() {
  {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

void Scheduler::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Instant next = tick_();
    const auto pause = next - clock_.now();
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, pause, [this] { return woken_; });
    woken_ = false;
  }
}

}  // namespace assay
