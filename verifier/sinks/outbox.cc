#include "verifier/sinks/outbox.h"

#include <algorithm>
#include <functional>
#include <random>

namespace assay {
namespace {

constexpr std::uint32_t kBatch = 32;
constexpr std::chrono::seconds kStoreRetry{5};
// The wall clock may be set meanwhile.
constexpr std::chrono::seconds kLongestSleep{60};

}  // namespace

std::chrono::milliseconds retry_delay(std::uint32_t failures, std::uint64_t random) {
  const std::uint32_t doublings = std::min<std::uint32_t>(std::max(failures, 1U) - 1, 20);
  const std::chrono::milliseconds full = std::min<std::chrono::milliseconds>(
      kShortestRetryDelay * (1U << doublings), kLongestRetryDelay);
  const auto fifth = static_cast<std::uint64_t>(full.count() / 5);
  return full - std::chrono::milliseconds(random % (fifth + 1));
}

// One sink, its thread, and how the sink fares.
class OutboxDispatcher::Lane {
 public:
  Lane(World world, std::unique_ptr<NotificationSink> sink)
      : world_(world),
        sink_(std::move(sink)),
        random_(static_cast<std::uint32_t>(
            std::hash<std::string>{}(sink_->name()) ^
            static_cast<std::uint64_t>(world.clock.now().time_since_epoch().count()))),
        thread_([this](const std::stop_token& stop) { run(stop); }) {}

  void wake() {
    {
      const std::scoped_lock lock(mutex_);
      woken_ = true;
    }
    changed_.notify_one();
  }

  void request_stop() { thread_.request_stop(); }

 private:
  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      auto next = deliver_due(stop);
      if (!next) {
        world_.watcher.store_failed(next.error());
        next = world_.clock.now() + kStoreRetry;
      }
      const std::chrono::milliseconds pause =
          std::clamp<std::chrono::milliseconds>(*next - world_.clock.now(), {}, kLongestSleep);
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, pause, [this] { return woken_; });
      woken_ = false;
    }
  }

  // Sends what is due, and gives the time to look again.
  Result<Instant> deliver_due(const std::stop_token& stop) {
    ASSAY_OK(forget_delivered());
    ASSAY_OK(report_queue());
    const Instant now = world_.clock.now();
    if (now < resume_at_) return resume_at_;
    ASSAY_TRY(const auto due, world_.store.due_notifications(sink_->name(), now, kBatch));
    for (const OutboxRecord& record : due) {
      if (stop.stop_requested()) return now;
      const Delivery delivery = sink_->deliver(record, world_.clock.now(), stop);
      if (!delivery && stop.stop_requested()) return now;  // we hung up, not the receiver
      ASSAY_OK(delivery ? note_success(record) : note_failure(record, delivery.error()));
      if (!delivery) break;
    }
    ASSAY_OK(report_queue());
    ASSAY_TRY(const auto next, world_.store.next_notification_due(sink_->name()));
    return std::max(resume_at_, next.value_or(now + kLongestSleep));
  }

  Status note_success(const OutboxRecord& record) {
    failures_ = 0;
    world_.watcher.sent(sink_->name());
    delivered_ = record.id;
    return forget_delivered();
  }

  // A store that is full must not make us send the same thing every few seconds.
  Status forget_delivered() {
    if (delivered_) ASSAY_OK(world_.store.notification_delivered(*delivered_));
    delivered_.reset();
    return {};
  }

  Status note_failure(const OutboxRecord& record, const DeliveryFailure& failure) {
    world_.watcher.failed(sink_->name(), failure);
    const Instant now = world_.clock.now();
    const std::chrono::milliseconds wanted =
        std::min(failure.retry_after.value_or(std::chrono::seconds(0)), kLongestRetryDelay);
    const std::chrono::milliseconds pause =
        std::min<std::chrono::milliseconds>(retry_delay(++failures_, random_()), kLongestSinkPause);
    resume_at_ = now + std::max(pause, wanted);
    const Instant next_attempt =
        now + std::max(retry_delay(record.attempts + 1, random_()), wanted);
    return world_.store.notification_failed(record.id, next_attempt, failure.why);
  }

  Status report_queue() {
    ASSAY_TRY(const std::uint64_t queued, world_.store.queued_notifications());
    world_.watcher.queue_length(queued);
    return {};
  }

  const World world_;
  const std::unique_ptr<NotificationSink> sink_;
  std::minstd_rand random_;
  std::uint32_t failures_ = 0;           // in a row
  Instant resume_at_{};                  // not before, after a failure
  std::optional<OutboxId> delivered_{};  // but still in the store
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = false;
  std::jthread thread_;  // last: it uses all of the above
};

OutboxDispatcher::OutboxDispatcher(World world,
                                   std::vector<std::unique_ptr<NotificationSink>> sinks) {
  for (auto& sink : sinks) lanes_.push_back(std::make_unique<Lane>(world, std::move(sink)));
}

OutboxDispatcher::~OutboxDispatcher() {
  for (const auto& lane : lanes_) lane->request_stop();
}

void OutboxDispatcher::wake() {
  for (const auto& lane : lanes_) lane->wake();
}

}  // namespace assay
