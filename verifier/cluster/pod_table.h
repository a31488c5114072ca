// The pods that the control plane has named, as far as they are known now.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/verdict.h"
#include "verifier/cluster/pod_list.h"

namespace assay {

inline constexpr std::size_t kMaxPods = 200'000;     // that are there
inline constexpr std::size_t kMaxGonePods = 20'000;  // that are kept although they are gone
inline constexpr std::chrono::hours kKeepGone{
    1};  // what a pod ran is judged after it has ended, too

// For metrics. All but the first two only grow.
struct PodCounts {
  std::size_t pods = 0;     // that are there
  std::size_t gone = 0;     // that are kept although they are gone
  std::size_t skipped = 0;  // that could not be read
  std::size_t moved = 0;    // facts that would have changed a pod's node
  std::size_t refused = 0;  // facts of pods beyond kMaxPods

  friend bool operator==(const PodCounts&, const PodCounts&) = default;
};

// Not for two threads at once; time is an argument. The newest fact of a pod wins, with what Kubernetes never
// changes as exceptions: the node that a pod was given first, and of which static one a mirror pod is; once
// a mirror pod, it stays one.
class PodTable {
 public:
  // A list: pods that are not added between the two are gone. One that is not finished takes nothing away.
  void begin_list() { ++list_; }
  void add(PodRecord record);
  void finish_list(Instant now);

  void apply(PodEvent event, Instant now);
  void skip(std::size_t pods) { counts_.skipped += pods; }

  // Pods on nodes, each with the images that are not kept yet: at most `most` pods. Those of pods that are
  // forgotten meanwhile are left out, and what a pod has over kMaxPodImages.
  std::vector<PodPlacement> unkept(std::size_t most) const;
  // What unkept() gave is kept now.
  void kept(const std::vector<PodPlacement>& placements);

  // Whether snapshot() would say something new.
  bool changed() const { return changed_; }
  // When the first pod that is gone will be forgotten.
  std::optional<Instant> forgets_at() const;
  PodCounts counts() const;

  // Pods by their UIDs, and mirror pods by the UIDs of their static ones, too: but a mirror pod, which a node
  // has written, takes no label that another pod has; of two, the one that is there, or was known first.
  std::shared_ptr<const ClusterSnapshot> snapshot(Instant now);

 private:
  struct Pod {
    PodFacts facts{};
    std::optional<PodLabel> static_uid{};  // of a mirror pod
    std::vector<PodImage> images{};        // of the newest fact since it is on a node
    std::uint64_t order = 0;               // in which pods became known
    std::uint64_t list = 0;                // the last one that it was in, or followed
    std::optional<Instant> gone_at{};
  };
  using Pods = std::map<PodLabel, Pod>;

  Pods::iterator put(PodRecord record);
  void take_images(Pods::iterator pod, std::vector<PodImage> images);
  void revive(Pods::iterator pod);
  void bury(Pods::iterator pod, Instant now);
  void forget_oldest();
  static PodFacts now_of(const Pod& pod);
  std::map<PodLabel, PodFacts> by_label() const;

  Pods pods_;
  std::set<std::pair<Instant, PodLabel>> gone_;    // of pods_, the oldest first
  std::map<PodLabel, std::set<PodImage>> unkept_;  // of pods_
  std::uint64_t list_ = 0;
  std::uint64_t known_ = 0;
  PodCounts counts_;  // but for the first two
  bool changed_ = false;
};

}  // namespace assay
