// Which pod has which user ids on its node: claims, which only the node's kubelet can make.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "core/attribution/pod_label.h"
#include "core/result.h"

namespace assay {

// The user ids of one pod with `hostUsers: false`: ranges of PodLabel::kUidsPerPod, one after the other.
class UidMapping {
 public:
  static constexpr std::uint32_t kMaxRanges = 64;

  // `count` ids from `first` on. Nothing when either is no multiple of kUidsPerPod or zero, there are more
  // than kMaxRanges ranges, or the last id is over 2^32 - 1.
  static std::optional<UidMapping> from(std::uint64_t first, std::uint64_t count);

  std::uint32_t ranges() const { return ranges_; }  // how many: 1 to kMaxRanges
  PodLabel label(std::uint32_t range) const;        // of one; `range` is less than ranges()

  friend bool operator==(const UidMapping&, const UidMapping&) = default;

 private:
  UidMapping(std::uint32_t first, std::uint32_t ranges) : first_(first), ranges_(ranges) {}

  std::uint32_t first_;
  std::uint32_t ranges_;
};

// That a pod has these ids, as its node says.
struct UidClaim {
  PodLabel pod;  // by its UID
  UidMapping ids;
};

// What a node has claimed of its ranges, from one answer to the next. Whether the control plane has such a
// pod is not asked here. A value: what judges evidence holds one that does not change meanwhile.
//
// The kubelet gives a range to the next pod as soon as the last one is gone, and a log has entries of both.
// So a range that changes hands is nobody's until kUnsettled evidences have been judged, of which the one
// that showed it is the first: its unproven tail is judged with the next.
class UidRanges {
 public:
  static constexpr std::size_t kMaxRanges = 4096;
  static constexpr unsigned kUnsettled = 2;

  // Takes the newest claim. Ranges that are not in it keep their pod, which may have ended: what it ran is
  // still to be judged. Beyond kMaxRanges those are dropped, the ones first that were claimed last the longest
  // ago. A pod that is in the claim twice, and ranges that two mappings hold, make all their ranges nobody's.
  // Fails with kEvidenceTooLarge for more than kMaxRanges ranges: then nothing is claimed any more.
  Status learn(std::span<const UidClaim> claim);

  // An evidence has been judged by these, and what it has proven will not be judged again.
  void settle();
  // Whether settle() would change anything.
  bool is_settled() const;

  // The pod that `range` belongs to; null: nobody says, or it is nobody's. Valid while this is.
  const PodLabel* pod_of(const PodLabel& range) const;

  std::size_t size() const { return ranges_.size(); }

 private:
  struct Range {
    std::optional<PodLabel> pod{};  // nothing: the node contradicts itself
    unsigned unsettled = 0;         // evidences to be judged until it is the pod's
    std::uint64_t claim = 0;        // the last one that it was in
  };

  void give(const PodLabel& range, const std::optional<PodLabel>& pod);
  void drop_oldest();

  std::map<PodLabel, Range> ranges_;
  std::uint64_t claims_ = 0;
};

}  // namespace assay
