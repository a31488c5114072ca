// What the control plane says of pods, kept fresh by a thread of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <thread>

#include "verifier/cluster/cluster_source.h"
#include "verifier/cluster/pod_table.h"
#include "verifier/cluster/retry_pause.h"
#include "verifier/guarded.h"
#include "verifier/scheduler.h"

namespace assay {

inline constexpr std::size_t kMaxPodPages = 4000;  // of one list
inline constexpr std::chrono::seconds kSnapshotPause{1};
inline constexpr std::size_t kPlacementsAtOnce = 500;  // pods, for one transaction

// Sees the API being there or not: log. Called from the cluster's thread.
class ClusterWatcher {
 public:
  virtual ~ClusterWatcher() = default;
  // The first list, and the first after a failure.
  virtual void cluster_seen(std::size_t pods) = 0;
  // The first failure, and the first after a success.
  virtual void cluster_lost(const Fault& why) = 0;
  // Which images pods had could not be kept; it is tried again when the API says something new.
  virtual void placements_not_kept(const Fault& why) = 0;
};

// Borrowed, but for `keep`.
struct ClusterWorld {
  ClusterSource& source;
  const Clock& clock;
  ClusterWatcher& watcher;
  // Keeps which pods are where with which images, for good. Called from the cluster's thread, at most
  // kPlacementsAtOnce at once; the same may come again.
  std::function<Status(std::span<const PodPlacement>, Instant)> keep;
};

struct ClusterPace {
  std::chrono::milliseconds first_retry{1'000};  // also from one watch's end to the next watch
  std::chrono::milliseconds longest_retry{60'000};
};

// Lists the pods, watches them from there, and begins anew when that fails or the watch has expired. While
// the API does not answer, the last snapshot stays. Destruction ends what the source does.
class Cluster {
 public:
  explicit Cluster(ClusterWorld world, ClusterPace pace = {});

  // All three are safe from any thread and wait for no request.
  //
  // Never null, and empty before the first list. Made anew at once after a list, and at most every
  // kSnapshotPause while events come.
  std::shared_ptr<const ClusterSnapshot> current() const;
  // When the API has last answered; nothing: it never has.
  std::optional<Instant> seen_at() const;
  PodCounts counts() const;  // of the current snapshot

 private:
  enum class Health : std::uint8_t { kUnknown, kSeen, kLost };

  // The pods that are known, and what was made of them.
  struct Work {
    PodTable table{};
    std::optional<Instant> made_at{};  // the snapshot; nothing before the first whole list
  };
  struct Published {
    std::shared_ptr<const ClusterSnapshot> snapshot = std::make_shared<const ClusterSnapshot>();
    PodCounts counts{};
    std::optional<Instant> seen_at{};
  };

  void run(const std::stop_token& stop);
  Status follow(const std::stop_token& stop);
  Result<std::string> list(const std::stop_token& stop);
  void take(PodEvent event);
  void keep_placements();
  void wait(std::chrono::milliseconds pause, const std::stop_token& stop);
  void lost(const Fault& why);
  void answered();
  Instant tick();
  void publish(Work& work, Instant now);

  ClusterWorld world_;
  ClusterPace pace_;
  RetryPause retry_;  // of the thread alone, as is the next
  Health health_ = Health::kUnknown;
  std::mutex mutex_;                   // for wait()
  std::condition_variable_any never_;  // only a stop ends a wait() early
  Guarded<Work> work_;
  Guarded<Published> published_;  // locked inside work_, never around it
  Scheduler scheduler_;           // makes snapshots when no event comes that could
  std::jthread thread_;           // last: it uses all of the above
};

}  // namespace assay
