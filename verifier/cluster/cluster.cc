#include "verifier/cluster/cluster.h"

#include <algorithm>

namespace assay {

Cluster::Cluster(ClusterWorld world, ClusterPace pace)
    : world_(std::move(world)),
      pace_(pace),
      retry_(pace.first_retry, pace.longest_retry),
      scheduler_(world_.clock, [this] { return tick(); }),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

std::shared_ptr<const ClusterSnapshot> Cluster::current() const {
  return published_.with([](const Published& published) { return published.snapshot; });
}

std::optional<Instant> Cluster::seen_at() const {
  return published_.with([](const Published& published) { return published.seen_at; });
}

PodCounts Cluster::counts() const {
  return published_.with([](const Published& published) { return published.counts; });
}

void Cluster::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Status followed = follow(stop);
    if (stop.stop_requested()) return;  // what has failed now, we have ended
    if (!followed) lost(followed.error());
    wait(retry_.next(), stop);
  }
}

// Ends well when a new list is all that is needed.
Status Cluster::follow(const std::stop_token& stop) {
  ASSAY_TRY(std::string version, list(stop));
  while (!stop.stop_requested()) {
    const auto take_event = [&](PodEvent event) {
      version = event.resource_version;
      take(std::move(event));
    };
    const std::string from = version;  // the watch changes the other
    ASSAY_TRY(const WatchEnd end, world_.source.watch(from, take_event, stop));
    if (end == WatchEnd::kExpired) return {};
    answered();
    retry_.reset();
    wait(pace_.first_retry, stop);
  }
  return {};
}

// The list's version.
Result<std::string> Cluster::list(const std::stop_token& stop) {
  work_.with([](Work& work) { work.table.begin_list(); });
  std::string token;
  for (std::size_t page = 0; page < kMaxPodPages; ++page) {
    ASSAY_TRY(PodList got, world_.source.list(token, stop));
    answered();
    work_.with([&got](Work& work) {
      work.table.skip(got.skipped);
      for (PodRecord& pod : got.pods) work.table.add(std::move(pod));
    });
    keep_placements();
    token = std::move(got.continue_token);
    if (!token.empty()) continue;
    const std::size_t pods = work_.with([this](Work& work) {
      const Instant now = world_.clock.now();
      work.table.finish_list(now);
      publish(work, now);
      return work.table.counts().pods;
    });
    if (health_ != Health::kSeen) world_.watcher.cluster_seen(pods);
    health_ = Health::kSeen;
    return std::move(got.resource_version);
  }
  return fail(FaultId::kClusterMalformed, "a list of pods that does not end");
}

void Cluster::take(PodEvent event) {
  answered();
  retry_.reset();
  const bool changed = work_.with([&](Work& work) {
    work.table.apply(std::move(event), world_.clock.now());
    return work.table.changed();
  });
  if (changed) scheduler_.wake();
  keep_placements();
}

// What cannot be kept is tried again with what comes next.
void Cluster::keep_placements() {
  for (;;) {
    const auto placements =
        work_.with([](const Work& work) { return work.table.unkept(kPlacementsAtOnce); });
    if (placements.empty()) return;
    if (const Status kept = world_.keep(placements, world_.clock.now()); !kept) {
      world_.watcher.placements_not_kept(kept.error());
      return;
    }
    work_.with([&placements](Work& work) { work.table.kept(placements); });
  }
}

void Cluster::wait(std::chrono::milliseconds pause, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  never_.wait_for(lock, stop, pause, [] { return false; });
}

void Cluster::lost(const Fault& why) {
  if (health_ != Health::kLost) world_.watcher.cluster_lost(why);
  health_ = Health::kLost;
}

void Cluster::answered() {
  const Instant now = world_.clock.now();
  published_.with([now](Published& published) { published.seen_at = now; });
}

Instant Cluster::tick() {
  constexpr std::chrono::hours kNothingToDo{1};
  const Instant now = world_.clock.now();
  return work_.with([&](Work& work) {
    if (!work.made_at) return now + kNothingToDo;
    const auto wanted = [&] {
      const auto forgets_at = work.table.forgets_at();
      return work.table.changed() || (forgets_at && *forgets_at <= now);
    };
    // A clock that was put back is not waited for.
    const bool due = now >= *work.made_at + kSnapshotPause || now < *work.made_at;
    if (wanted() && due) publish(work, now);
    if (wanted()) return *work.made_at + kSnapshotPause;
    return work.table.forgets_at().value_or(now + kNothingToDo);
  });
}

void Cluster::publish(Work& work, Instant now) {
  auto snapshot = work.table.snapshot(now);
  const PodCounts counts = work.table.counts();
  published_.with([&](Published& published) {
    published.snapshot.swap(snapshot);  // the old one ends outside the lock
    published.counts = counts;
  });
  work.made_at = now;
}

}  // namespace assay
