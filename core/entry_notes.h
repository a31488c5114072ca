// What a look at every entry of a log leaves behind, in bounded memory.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "core/attribution/pod_label.h"

namespace assay {

// Small numbers that are noted of entries, each once; and numbers of pods' entries, each pair once. Memory
// follows the largest of the former, and the pairs. Entries are noted in log order.
class EntryNotes {
 public:
  // Pairs of one log: over that only is_complete() tells. A cluster's node has some hundred pods, with
  // some ten layers each.
  static constexpr std::size_t kMaxOfPods = 16384;

  struct OfPod {
    PodLabel pod;
    std::uint64_t number = 0;
    friend auto operator<=>(const OfPod&, const OfPod&) = default;
  };

  // `index` is of the entry, and none less than one before.
  void add(std::uint32_t number, std::uint64_t index);
  void add(const OfPod& pair, std::uint64_t index);
  // Takes over what another has noted, as of the entry `index`.
  void add_all(const EntryNotes& other, std::uint64_t index);
  void keep_before(
      std::uint64_t index);  // forgets what was first noted of this entry or a later one

  std::vector<std::uint32_t> numbers() const;  // in the order in which they were noted
  const std::set<OfPod>& of_pods() const { return of_pods_; }
  bool is_complete() const { return !missed_from_; }  // no pair was left out

 private:
  struct First {
    std::uint32_t number;
    std::uint64_t index;
  };
  struct FirstOfPod {
    std::set<OfPod>::iterator pair;
    std::uint64_t index;
  };
  std::vector<bool> is_noted_;
  std::vector<First> first_;
  std::set<OfPod> of_pods_;  // ordered: a node chooses what is in it, and must not slow it down
  std::vector<FirstOfPod> first_of_pods_;
  std::optional<std::uint64_t> missed_from_;  // the first entry with a pair that found no room
};

}  // namespace assay
