// A few threads and a bounded queue.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace assay {

// Safe from any thread. Destruction finishes the jobs that run, drops those that wait, and joins.
class WorkerPool {
 public:
  using Job = std::function<void()>;

  WorkerPool(std::size_t threads, std::size_t max_waiting);
  ~WorkerPool();

  // False when `max_waiting` jobs wait already, or the pool is ending: the job is dropped.
  bool submit(Job job);

 private:
  void work(const std::stop_token& stop);

  std::size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Job> waiting_;
  bool ending_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace assay
