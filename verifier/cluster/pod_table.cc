#include "verifier/cluster/pod_table.h"

#include <algorithm>
#include <vector>

namespace assay {

void PodTable::add(PodRecord record) {
  const auto pod = put(std::move(record));
  if (pod != pods_.end()) revive(pod);
}

void PodTable::finish_list(Instant now) {
  std::vector<Pods::iterator> missing;  // first of all: bury() may take other pods away
  for (auto pod = pods_.begin(); pod != pods_.end(); ++pod) {
    if (!pod->second.gone_at && pod->second.list != list_) missing.push_back(pod);
  }
  for (const auto pod : missing) bury(pod, now);
}

void PodTable::apply(PodEvent event, Instant now) {
  if (skips_pod(event)) skip(1);
  if (!event.pod) return;
  if (event.kind != PodEvent::Kind::kDeleted) {
    add(*std::move(event.pod));
    return;
  }
  // One that nobody has seen before may have run, too.
  const auto pod = put(*std::move(event.pod));
  if (pod != pods_.end() && !pod->second.gone_at) bury(pod, now);
}

std::vector<PodPlacement> PodTable::unkept(std::size_t most) const {
  std::vector<PodPlacement> out;
  for (const auto& [uid, images] : unkept_) {
    if (out.size() == most) break;
    const PodFacts& facts = pods_.at(uid).facts;
    out.push_back({.pod = uid,
                   .node = facts.node,
                   .name = facts.name_space + '/' + facts.name,
                   .images = {images.begin(), images.end()}});
  }
  return out;
}

void PodTable::kept(const std::vector<PodPlacement>& placements) {
  for (const PodPlacement& placement : placements) {
    const auto pod = unkept_.find(placement.pod);
    if (pod == unkept_.end()) continue;
    for (const PodImage& image : placement.images) pod->second.erase(image);
    if (pod->second.empty()) unkept_.erase(pod);
  }
}

std::optional<Instant> PodTable::forgets_at() const {
  return gone_.empty() ? std::nullopt : std::optional(gone_.begin()->first + kKeepGone);
}

PodCounts PodTable::counts() const {
  PodCounts out = counts_;
  out.pods = pods_.size() - gone_.size();
  out.gone = gone_.size();
  return out;
}

std::shared_ptr<const ClusterSnapshot> PodTable::snapshot(Instant now) {
  while (!gone_.empty() && gone_.begin()->first + kKeepGone <= now) forget_oldest();
  changed_ = false;
  return std::make_shared<const ClusterSnapshot>(by_label());
}

PodTable::Pods::iterator PodTable::put(PodRecord record) {
  auto found = pods_.find(record.uid);
  if (found == pods_.end()) {
    if (pods_.size() - gone_.size() >= kMaxPods) {
      ++counts_.refused;
      return pods_.end();
    }
    Pod fresh{.static_uid = record.static_uid, .order = known_++};
    found = pods_.emplace(record.uid, std::move(fresh)).first;
    changed_ = true;
  }
  Pod& pod = found->second;
  pod.list = list_;
  if (!pod.facts.node.empty() && pod.facts.node != record.facts.node) {
    ++counts_.moved;
    record.facts.node = pod.facts.node;
  }
  // Who may write an annotation makes no fact of a claim, nor is asked whether a fact became one.
  record.facts.is_mirror = record.facts.is_mirror || pod.facts.is_mirror;
  if (pod.facts != record.facts) {
    pod.facts = std::move(record.facts);
    changed_ = true;
  }
  // One that is on no node yet runs nothing.
  if (!pod.facts.node.empty()) take_images(found, std::move(record.images));
  return found;
}

void PodTable::take_images(Pods::iterator pod, std::vector<PodImage> images) {
  if (pod->second.facts.is_mirror) {
    // Its node has written its spec, too.
    for (PodImage& image : images) image.source = ImageSource::kStatus;
  }
  std::vector<PodImage>& known = pod->second.images;
  for (const PodImage& image : images) {
    if (std::ranges::binary_search(known, image)) continue;
    std::set<PodImage>& unkept = unkept_[pod->first];
    if (unkept.size() < kMaxPodImages) unkept.insert(image);
  }
  known = std::move(images);
}

void PodTable::revive(Pods::iterator pod) {
  if (!pod->second.gone_at) return;
  gone_.erase({*pod->second.gone_at, pod->first});
  pod->second.gone_at.reset();
  changed_ = true;
}

void PodTable::bury(Pods::iterator pod, Instant now) {
  pod->second.gone_at = now;
  gone_.emplace(now, pod->first);
  changed_ = true;
  if (gone_.size() > kMaxGonePods) forget_oldest();
}

void PodTable::forget_oldest() {
  pods_.erase(gone_.begin()->second);
  unkept_.erase(gone_.begin()->second);
  gone_.erase(gone_.begin());
  changed_ = true;
}

PodFacts PodTable::now_of(const Pod& pod) {
  PodFacts out = pod.facts;
  out.is_gone = pod.gone_at.has_value();
  return out;
}

std::map<PodLabel, PodFacts> PodTable::by_label() const {
  std::map<PodLabel, PodFacts> out;
  std::vector<const Pod*> mirrors;
  for (const auto& [uid, pod] : pods_) {
    out.emplace_hint(out.end(), uid, now_of(pod));  // the API server has given out all of these
    if (pod.static_uid) mirrors.push_back(&pod);
  }
  std::ranges::sort(mirrors, {},
                    [](const Pod* pod) { return std::pair(pod->gone_at.has_value(), pod->order); });
  for (const Pod* pod : mirrors) out.emplace(*pod->static_uid, now_of(*pod));
  return out;
}

}  // namespace assay
