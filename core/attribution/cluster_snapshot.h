// What the control plane says of pods: the side of attribution that no node can write.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "core/attribution/pod_label.h"

namespace assay {

// A pod as the control plane has it.
struct PodFacts {
  std::string name_space{};
  std::string name{};
  std::string node{};  // where it was scheduled; empty: nowhere yet
  // It stands for a static pod, and its node has written it: names and namespace are claims.
  bool is_mirror = false;
  bool is_gone = false;  // what it ran may still have to be judged
  bool has_own_users = false;  // `hostUsers: false`: its user ids are a range that no other pod has

  friend bool operator==(const PodFacts&, const PodFacts&) = default;
};

// Pods by their label: immutable, safe from any thread.
class ClusterSnapshot {
 public:
  ClusterSnapshot() = default;
  explicit ClusterSnapshot(std::map<PodLabel, PodFacts> pods) : pods_(std::move(pods)) {}

  // The pod that `label` names, when it is one of `node`; null: the control plane knows of none there.
  const PodFacts* find(const PodLabel& label, std::string_view node) const {
    const auto found = pods_.find(label);
    return found == pods_.end() || found->second.node != node ? nullptr : &found->second;
  }

  std::size_t size() const { return pods_.size(); }

 private:
  std::map<PodLabel, PodFacts> pods_;
};

}  // namespace assay
