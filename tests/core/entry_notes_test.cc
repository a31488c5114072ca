#include "core/entry_notes.h"

#include <doctest/doctest.h>

using namespace assay;

namespace {

PodLabel range(std::uint32_t number) {
  return *PodLabel::uid_range(number * PodLabel::kUidsPerPod);
}

}  // namespace

TEST_CASE("EntryNotes: a number is noted once, and forgotten with the entry that it came from") {
  EntryNotes notes;
  notes.add(7, 1);
  notes.add(3, 2);
  notes.add(7, 3);
  notes.add(5, 3);
  CHECK(notes.numbers() == std::vector<std::uint32_t>{7, 3, 5});
  notes.keep_before(3);
  CHECK(notes.numbers() == std::vector<std::uint32_t>{7, 3});
  notes.add(5, 4);
  CHECK(notes.numbers() == std::vector<std::uint32_t>{7, 3, 5});
  notes.keep_before(0);
  CHECK(notes.numbers().empty());
}

TEST_CASE("EntryNotes: so is a pod's, and each pod has its own") {
  EntryNotes notes;
  notes.add({range(1), 7}, 1);
  notes.add({range(2), 7}, 2);
  notes.add({range(1), 7}, 3);
  notes.add({range(1), 8}, 3);
  CHECK(notes.of_pods() ==
        std::set<EntryNotes::OfPod>{{range(1), 7}, {range(1), 8}, {range(2), 7}});
  CHECK(notes.numbers().empty());
  notes.keep_before(3);
  CHECK(notes.of_pods() == std::set<EntryNotes::OfPod>{{range(1), 7}, {range(2), 7}});
  notes.add({range(1), 8}, 4);
  EntryNotes all;
  all.add(9, 0);
  all.add_all(notes, 5);
  CHECK(all.of_pods() == notes.of_pods());
  CHECK(all.numbers() == std::vector<std::uint32_t>{9});
}

TEST_CASE("EntryNotes: pairs have a bound, and what found no room is told") {
  EntryNotes notes;
  for (std::uint64_t i = 0; i < EntryNotes::kMaxOfPods; ++i) notes.add({range(1), i}, i);
  CHECK(notes.is_complete());
  notes.add({range(1), 0}, EntryNotes::kMaxOfPods);  // is there
  CHECK(notes.is_complete());
  notes.add({range(2), 0}, EntryNotes::kMaxOfPods + 1);
  notes.add({range(3), 0}, EntryNotes::kMaxOfPods + 2);
  CHECK_FALSE(notes.is_complete());
  CHECK(notes.of_pods().size() == EntryNotes::kMaxOfPods);
  EntryNotes all;
  all.add_all(notes, 0);
  CHECK_FALSE(all.is_complete());
  notes.keep_before(EntryNotes::kMaxOfPods + 2);
  CHECK_FALSE(notes.is_complete());
  notes.keep_before(EntryNotes::kMaxOfPods + 1);  // the entry without room is not proven
  CHECK(notes.is_complete());
  CHECK(notes.of_pods().size() == EntryNotes::kMaxOfPods);
}
