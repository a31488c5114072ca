#include "verifier/http/task_queue.h"

#include <utility>

namespace assay {

TaskQueue::TaskQueue(Size size) : max_waiting_(size.waiting) {
  for (std::size_t i = 0; i < size.threads; ++i) threads_.emplace_back([this] { run(); });
}

void TaskQueue::enqueue(std::function<void()> task) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.size() < max_waiting_; });
  waiting_.push_back(std::move(task));
  changed_.notify_all();
}

void TaskQueue::shutdown() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  threads_.clear();
}

void TaskQueue::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const std::function<void()> task = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    lock.unlock();
    task();
    lock.lock();
  }
}

}  // namespace assay
