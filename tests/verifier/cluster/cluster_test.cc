#include "verifier/cluster/cluster.h"

#include <doctest/doctest.h>

#include <deque>

#include "tests/support/child_process.h"
#include "tests/support/fake_clock.h"
#include "tests/verifier/cluster/api_server.h"
#include "tests/verifier/cluster/pod_json.h"
#include "verifier/cluster/pod_watch.h"

using namespace assay;
using namespace assay::testing;
using namespace std::chrono_literals;

namespace {

using Kind = PodEvent::Kind;

constexpr ClusterPace kAtOnce{.first_retry = 0ms, .longest_retry = 0ms};

// A source that a test holds by the hand: each call takes the next answer, and waits for one or for a stop.
class FakeSource final : public ClusterSource {
 public:
  struct Watching {
    std::vector<PodEvent> events;
    std::optional<Result<WatchEnd>> end;  // nothing: it goes on with the next of these
  };

  Result<PodList> list(const std::string& continue_token, const std::stop_token& stop) override {
    asked("list " + continue_token);
    auto out = next(lists_, stop);
    return out ? *std::move(out) : stopped();
  }
  Result<WatchEnd> watch(const std::string& resource_version, const TakeEvent& take,
                         const std::stop_token& stop) override {
    asked("watch " + resource_version);
    while (true) {
      auto got = next(watches_, stop);
      if (!got) return stopped();
      for (PodEvent& event : got->events) take(std::move(event));
      if (got->end) return *std::move(got->end);
    }
  }

  void gives(Result<PodList> list) {
    const std::scoped_lock lock(mutex_);
    lists_.push_back(std::move(list));
    changed_.notify_all();
  }
  void gives(Watching watching) {
    const std::scoped_lock lock(mutex_);
    watches_.push_back(std::move(watching));
    changed_.notify_all();
  }
  std::vector<std::string> asked() const {
    const std::scoped_lock lock(mutex_);
    return asked_;
  }

  std::string last_asked() const {
    const std::scoped_lock lock(mutex_);
    return asked_.empty() ? "" : asked_.back();
  }

 private:
  static tl::unexpected<Fault> stopped() { return fail(FaultId::kClusterUnavailable, "stopped"); }

  void asked(std::string what) {
    const std::scoped_lock lock(mutex_);
    asked_.push_back(std::move(what));
  }
  template <typename T>
  std::optional<T> next(std::deque<T>& from, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [&from] { return !from.empty(); })) return std::nullopt;
    std::optional<T> out = std::move(from.front());
    from.pop_front();
    return out;
  }

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Result<PodList>> lists_;
  std::deque<Watching> watches_;
  std::vector<std::string> asked_;
};

struct Watcher final : ClusterWatcher {
  void cluster_seen(std::size_t pods) override {
    known = pods;
    ++seen;
  }
  void cluster_lost(const Fault&) override { ++lost; }
  void placements_not_kept(const Fault& why) override {
    CHECK(why.id == FaultId::kStoreFailed);
    ++not_kept;
  }
  std::atomic<std::size_t> known = 0;
  std::atomic<int> seen = 0;
  std::atomic<int> lost = 0;
  std::atomic<int> not_kept = 0;
};

// Who keeps no placements.
ClusterWorld world(ClusterSource& source, const Clock& clock, ClusterWatcher& watcher) {
  return {source, clock, watcher, [](auto, auto) -> Status { return {}; }};
}

// What is kept of placements, and whether it can be.
struct Keeper {
  Status keep(std::span<const PodPlacement> placements, Instant at) {
    const std::scoped_lock lock(mutex);
    if (broken) return fail(FaultId::kStoreFailed, "full of holes");
    calls.push_back({.pods = {placements.begin(), placements.end()}, .at = at});
    return {};
  }
  std::size_t count() {
    const std::scoped_lock lock(mutex);
    return calls.size();
  }

  struct Call {
    std::vector<PodPlacement> pods;
    Instant at;
  };
  std::mutex mutex;
  bool broken = false;
  std::vector<Call> calls;
};

PodRecord with_one_image(std::size_t number) {
  PodRecord out = pod_record(number);
  out.images = {{image_digest(1), ImageSource::kSpec}};
  return out;
}

PodList page(std::vector<PodRecord> pods, const std::string& version,
             const std::string& token = "") {
  return {.pods = std::move(pods), .resource_version = version, .continue_token = token};
}

tl::unexpected<Fault> down() {
  return fail(FaultId::kClusterUnavailable, "down");
}

bool has(const Cluster& cluster, std::size_t pod) {
  return cluster.current()->find(uid_label(pod), "node-a") != nullptr;
}

}  // namespace

TEST_CASE("Cluster: nothing is known before the first list is whole") {
  FakeSource source;
  FakeClock clock;
  Watcher watcher;
  const Cluster cluster(world(source, clock, watcher), kAtOnce);
  CHECK(cluster.current()->size() == 0);
  CHECK_FALSE(cluster.seen_at());
  source.gives(page({pod_record(1)}, "5", "more"));
  CHECK(eventually([&] { return source.asked().size() == 2; }));
  CHECK(cluster.current()->size() == 0);
  CHECK(cluster.seen_at() == clock.now());
  CHECK(watcher.seen == 0);
  PodList last = page({pod_record(2)}, "5");
  last.skipped = 3;
  source.gives(last);
  CHECK(eventually([&] { return watcher.seen == 1; }));
  CHECK(watcher.known == 2);
  CHECK(has(cluster, 1));
  CHECK(has(cluster, 2));
  CHECK(cluster.counts() == PodCounts{.pods = 2, .skipped = 3});
  CHECK(eventually([&] {
    return source.asked() == std::vector<std::string>{"list ", "list more", "watch 5"};
  }));
}

TEST_CASE("Cluster: events change the snapshot, at most once a second") {
  FakeSource source;
  FakeClock clock;
  Watcher watcher;
  const Cluster cluster(world(source, clock, watcher), kAtOnce);
  source.gives(page({pod_record(1)}, "5"));
  CHECK(eventually([&] { return has(cluster, 1); }));
  const auto before = cluster.current();
  source.gives(FakeSource::Watching{.events = {pod_event(Kind::kAdded, pod_record(2), "6"),
                                               pod_event(Kind::kDeleted, pod_record(1), "7")},
                                    .end = WatchEnd::kOver});
  CHECK(eventually([&] { return source.last_asked() == "watch 7"; }));
  CHECK(cluster.current() == before);  // the clock has not moved
  clock.advance(kSnapshotPause);
  CHECK(eventually([&] { return has(cluster, 2); }));
  CHECK(has(cluster, 1));  // it is gone, and still judged
  CHECK(before->size() == 1);
  CHECK(cluster.counts() == PodCounts{.pods = 1, .gone = 1});

  clock.advance(kKeepGone);
  source.gives(
      FakeSource::Watching{.events = {pod_event(Kind::kAdded, pod_record(3), "8")}, .end = {}});
  CHECK(eventually([&] { return has(cluster, 3); }));
  CHECK_FALSE(has(cluster, 1));
  CHECK(watcher.seen == 1);
}

TEST_CASE("Cluster: a watch that is over goes on, and one that has expired begins anew") {
  FakeSource source;
  FakeClock clock;
  Watcher watcher;
  const Cluster cluster(world(source, clock, watcher), kAtOnce);
  source.gives(page({pod_record(1)}, "5"));
  source.gives(FakeSource::Watching{.events = {}, .end = WatchEnd::kOver});
  source.gives(FakeSource::Watching{
      .events = {{.kind = Kind::kBookmark, .pod = {}, .resource_version = "9"}},
      .end = WatchEnd::kOver});
  source.gives(FakeSource::Watching{.events = {}, .end = WatchEnd::kExpired});
  source.gives(page({pod_record(2)}, "20"));
  CHECK(eventually([&] { return source.last_asked() == "watch 20"; }));
  CHECK(source.asked() ==
        std::vector<std::string>{"list ", "watch 5", "watch 5", "watch 9", "list ", "watch 20"});
  CHECK(cluster.counts() == PodCounts{.pods = 1, .gone = 1});
  CHECK(watcher.lost == 0);
  CHECK(watcher.seen == 1);
}

TEST_CASE("Cluster: while the API is down the last snapshot stays, and that is said once") {
  FakeSource source;
  FakeClock clock;
  Watcher watcher;
  const Cluster cluster(world(source, clock, watcher), kAtOnce);
  source.gives(down());
  source.gives(down());
  source.gives(page({pod_record(1)}, "5"));
  CHECK(eventually([&] { return watcher.seen == 1; }));
  CHECK(watcher.lost == 1);
  const Instant then = clock.now();
  clock.advance(1min);

  source.gives(FakeSource::Watching{.events = {}, .end = down()});
  source.gives(page({pod_record(2)}, "6", "more"));  // and then no other page
  source.gives(down());
  CHECK(eventually([&] { return source.asked().size() == 7; }));
  CHECK(watcher.lost == 2);
  CHECK(has(cluster, 1));
  CHECK(cluster.seen_at() == then + 1min);
  source.gives(page({pod_record(2)}, "8"));
  CHECK(eventually([&] { return watcher.seen == 2; }));
  CHECK(has(cluster, 2));
  CHECK(has(cluster, 1));
  CHECK(cluster.counts() == PodCounts{.pods = 1, .gone = 1});
}

TEST_CASE("Cluster: which images pods have is kept page by page, and event by event") {
  FakeSource source;
  FakeClock clock;
  Watcher watcher;
  Keeper keeper;
  const Cluster cluster(
      {source, clock, watcher,
       [&keeper](auto placements, Instant at) { return keeper.keep(placements, at); }},
      kAtOnce);
  std::vector<PodRecord> pods;
  for (std::size_t i = 0; i <= kPlacementsAtOnce; ++i) pods.push_back(with_one_image(i));
  source.gives(page(pods, "5", "more"));
  CHECK(eventually([&] { return keeper.count() == 2; }));
  CHECK(keeper.calls[0].pods.size() == kPlacementsAtOnce);
  CHECK(keeper.calls[0].at == clock.now());
  CHECK(keeper.calls[1].pods.size() == 1);
  source.gives(page({pod_record(1)}, "5"));
  source.gives(
      FakeSource::Watching{.events = {pod_event(Kind::kAdded, with_one_image(1'000), "6"),
                                      pod_event(Kind::kModified, with_one_image(1'000), "7")},
                           .end = WatchEnd::kOver});
  CHECK(eventually([&] { return source.last_asked() == "watch 7"; }));
  CHECK(keeper.count() == 3);
  CHECK(keeper.calls[2].pods[0].pod == uid_label(1'000));
}

TEST_CASE("Cluster: placements that cannot be kept come again with what is new") {
  FakeSource source;
  FakeClock clock;
  Watcher watcher;
  Keeper keeper;
  keeper.broken = true;
  const Cluster cluster(
      {source, clock, watcher,
       [&keeper](auto placements, Instant at) { return keeper.keep(placements, at); }},
      kAtOnce);
  source.gives(page({with_one_image(1)}, "5"));
  CHECK(eventually([&] { return watcher.not_kept == 1; }));
  CHECK(eventually([&] { return source.last_asked() == "watch 5"; }));
  CHECK(has(cluster, 1));  // it is judged by, all the same
  {
    const std::scoped_lock lock(keeper.mutex);
    keeper.broken = false;
  }
  source.gives(
      FakeSource::Watching{.events = {pod_event(Kind::kAdded, with_one_image(2), "6")}, .end = {}});
  CHECK(eventually([&] { return keeper.count() == 1; }));
  CHECK(keeper.calls[0].pods.size() == 2);
}

TEST_CASE("Cluster: a list that does not end is a failure") {
  FakeSource source;
  FakeClock clock;
  Watcher watcher;
  for (std::size_t i = 0; i < kMaxPodPages; ++i) source.gives(page({}, "5", "more"));
  const Cluster cluster(world(source, clock, watcher), kAtOnce);
  CHECK(eventually([&] { return watcher.lost == 1; }));
  CHECK(watcher.seen == 0);
}

TEST_CASE("Cluster: its end ends a list, a watch and a pause at once") {
  const auto begun = std::chrono::steady_clock::now();
  FakeClock clock;
  Watcher watcher;
  {
    FakeSource source;
    const Cluster cluster(world(source, clock, watcher));
    CHECK(eventually([&] { return source.asked().size() == 1; }));
  }
  {
    FakeSource source;
    source.gives(page({}, "5"));
    const Cluster cluster(world(source, clock, watcher));
    CHECK(eventually([&] { return source.asked().size() == 2; }));
  }
  CHECK(watcher.lost == 0);  // we have stopped it
  {
    FakeSource source;
    source.gives(down());
    const Cluster cluster(world(source, clock, watcher), {.first_retry = 1h, .longest_retry = 1h});
    CHECK(eventually([&] { return watcher.lost == 1; }));
  }
  CHECK(std::chrono::steady_clock::now() - begun < kPatience);
}

TEST_CASE("Cluster: follows a real API through an expired version") {
  ApiServer server;
  FakeClock clock;
  Watcher watcher;
  server.on_list(ApiServer::text(list_json({pod_json({.uid = uid_text(1)})}, "5")));
  server.on_watch(ApiServer::status(500));
  PodWatch source(server.api(), clock);
  const Cluster cluster(world(source, clock, watcher), {.first_retry = 1ms, .longest_retry = 10ms});
  CHECK(eventually([&] { return watcher.lost > 0; }));
  CHECK(has(cluster, 1));
  server.on_list(ApiServer::text(list_json({pod_json({.uid = uid_text(2)})}, "6")));
  server.on_watch(ApiServer::pieces({error_json(410)}));
  CHECK(eventually([&] { return has(cluster, 2); }));
  server.on_watch(server.hanging({event_json("ADDED", pod_json({.uid = uid_text(3)}))}));
  CHECK(eventually([&] {
    clock.advance(kSnapshotPause);
    return has(cluster, 3);
  }));
}
