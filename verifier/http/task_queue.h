// A few threads and a short queue for requests.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace assay {

// While the queue is full enqueue() waits, so that the listener accepts no more connections and the
// process keeps its file descriptors; no task is ever dropped, since it owns its connection.
class TaskQueue {
 public:
  struct Size {
    std::size_t threads;
    std::size_t waiting;
  };
  explicit TaskQueue(Size size);
  ~TaskQueue() { shutdown(); }

  void enqueue(std::function<void()> task);
  void shutdown();  // runs what waits, then ends the threads; no enqueue() after it

 private:
  void run();

  const std::size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool closed_ = false;
  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace assay
