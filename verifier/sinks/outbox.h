// The thread that empties the outbox.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "verifier/clock.h"
#include "verifier/sinks/notification_sink.h"

namespace assay {

inline constexpr std::chrono::seconds kShortestRetryDelay{5};
inline constexpr std::chrono::seconds kLongestRetryDelay{3600};
// While a sink does not answer, one notification in this time tries it.
inline constexpr std::chrono::seconds kLongestSinkPause{60};

// How long a notification waits after its `failures`th failure in a row: 5 s, twice as long each
// time, an hour at most, less up to a fifth that `random` picks. Pure.
std::chrono::milliseconds retry_delay(std::uint32_t failures, std::uint64_t random);

// Sees every delivery, for metrics and the log. Called from the dispatcher's threads, one for each
// sink, and must not block.
class DeliveryWatcher {
 public:
  virtual ~DeliveryWatcher() = default;
  virtual void sent(std::string_view sink) = 0;
  virtual void failed(std::string_view sink, const DeliveryFailure& failure) = 0;
  virtual void queue_length(std::uint64_t notifications) = 0;  // of all sinks together
  virtual void store_failed(const Fault& fault) = 0;           // tried again after some seconds
};

// Delivers what waits in the store, each notification until its sink has it: a receiver gets every
// message at least once, and the same message_id each time. One thread for each sink, so that one
// that hangs does not delay another. Destruction interrupts what they send and ends them.
class OutboxDispatcher {
 public:
  // `store`, `clock` and `watcher` are borrowed.
  struct World {
    Store& store;
    const Clock& clock;
    DeliveryWatcher& watcher;
  };
  OutboxDispatcher(World world, std::vector<std::unique_ptr<NotificationSink>> sinks);
  ~OutboxDispatcher();

  // Says that notifications were added. Safe from any thread; returns at once.
  void wake();

 private:
  class Lane;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace assay
