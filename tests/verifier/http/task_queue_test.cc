#include "verifier/http/task_queue.h"

#include <doctest/doctest.h>

#include <atomic>
#include <latch>

#include "tests/support/child_process.h"

namespace assay {
namespace {

TEST_CASE("TaskQueue: runs everything, what waits at the end as well") {
  std::atomic<int> done = 0;
  {
    TaskQueue queue({.threads = 3, .waiting = 2});
    for (int i = 0; i < 100; ++i) queue.enqueue([&] { ++done; });
  }
  CHECK(done == 100);
}

TEST_CASE("TaskQueue: a full queue makes the next one wait until there is room") {
  std::latch release(1);
  std::atomic<int> accepted = 0;
  std::atomic<int> running = 0;
  TaskQueue queue({.threads = 1, .waiting = 2});
  const auto blocked = [&] {
    ++running;
    release.wait();
  };
  queue.enqueue(blocked);
  REQUIRE(testing::eventually([&] { return running == 1; }));
  std::jthread listener([&] {
    for (int i = 0; i < 3; ++i) {
      queue.enqueue([] {});
      ++accepted;
    }
  });
  REQUIRE(testing::eventually([&] { return accepted == 2; }));
  // A third would be accepted at once if the queue had no bound.
  CHECK_FALSE(testing::eventually([&] { return accepted == 3; }, std::chrono::milliseconds(50)));
  release.count_down();
  CHECK(testing::eventually([&] { return accepted == 3; }));
}

}  // namespace
}  // namespace assay
