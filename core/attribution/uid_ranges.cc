#include "core/attribution/uid_ranges.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace assay {

std::optional<UidMapping> UidMapping::from(std::uint64_t first, std::uint64_t count) {
  constexpr std::uint64_t kUids = PodLabel::kUidsPerPod;
  constexpr std::uint64_t kEnd = std::uint64_t{1} << 32;
  const bool aligned = first % kUids == 0 && count % kUids == 0;
  if (!aligned || first == 0 || count == 0 || count / kUids > kMaxRanges) return std::nullopt;
  if (first >= kEnd || count > kEnd - first) return std::nullopt;
  return UidMapping(static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count / kUids));
}

PodLabel UidMapping::label(std::uint32_t range) const {
  ASSAY_CHECK(range < ranges_);
  return *PodLabel::uid_range(first_ + range * PodLabel::kUidsPerPod);
}

Status UidRanges::learn(std::span<const UidClaim> claim) {
  std::map<PodLabel, unsigned> uses;  // of pods and of ranges
  std::size_t ranges = 0;
  for (const UidClaim& each : claim) ranges += each.ids.ranges();
  if (ranges > kMaxRanges) {
    ranges_.clear();
    return fail(FaultId::kEvidenceTooLarge,
                "pod claims of more than " + std::to_string(kMaxRanges) + " ranges of user ids");
  }
  for (const UidClaim& each : claim) {
    ++uses[each.pod];
    for (std::uint32_t i = 0; i < each.ids.ranges(); ++i) ++uses[each.ids.label(i)];
  }
  ++claims_;
  for (const UidClaim& each : claim) {
    bool once = uses[each.pod] == 1;
    for (std::uint32_t i = 0; i < each.ids.ranges(); ++i) once &= uses[each.ids.label(i)] == 1;
    const auto pod = once ? std::optional(each.pod) : std::nullopt;
    for (std::uint32_t i = 0; i < each.ids.ranges(); ++i) give(each.ids.label(i), pod);
  }
  drop_oldest();
  return {};
}

void UidRanges::give(const PodLabel& range, const std::optional<PodLabel>& pod) {
  const auto [found, is_new] = ranges_.try_emplace(range);
  Range& known = found->second;
  if (!is_new && known.pod != pod) known.unsettled = kUnsettled;
  known.pod = pod;
  known.claim = claims_;
}

void UidRanges::drop_oldest() {
  if (ranges_.size() <= kMaxRanges) return;
  std::vector<std::pair<std::uint64_t, PodLabel>> by_age;
  for (const auto& [label, range] : ranges_) by_age.emplace_back(range.claim, label);
  std::ranges::sort(by_age);
  by_age.erase(by_age.begin() + static_cast<std::ptrdiff_t>(ranges_.size() - kMaxRanges),
               by_age.end());
  for (const auto& [claim, label] : by_age) ranges_.erase(label);
}

void UidRanges::settle() {
  for (auto& [label, range] : ranges_) {
    if (range.unsettled > 0) --range.unsettled;
  }
}

bool UidRanges::is_settled() const {
  return std::ranges::all_of(ranges_, [](const auto& item) { return item.second.unsettled == 0; });
}

const PodLabel* UidRanges::pod_of(const PodLabel& range) const {
  const auto found = ranges_.find(range);
  const bool known =
      found != ranges_.end() && found->second.unsettled == 0 && found->second.pod.has_value();
  return known ? &*found->second.pod : nullptr;
}

}  // namespace assay
