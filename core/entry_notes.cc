#include "core/entry_notes.h"

namespace assay {

void EntryNotes::add(std::uint32_t number, std::uint64_t index) {
  if (number >= is_noted_.size()) is_noted_.resize(number + std::size_t{1});
  if (is_noted_[number]) return;
  is_noted_[number] = true;
  first_.push_back({number, index});
}

void EntryNotes::add(const OfPod& pair, std::uint64_t index) {
  if (of_pods_.size() == kMaxOfPods && !of_pods_.contains(pair)) {
    missed_from_ = missed_from_.value_or(index);
    return;
  }
  const auto [at, is_new] = of_pods_.insert(pair);
  if (is_new) first_of_pods_.push_back({at, index});
}

void EntryNotes::add_all(const EntryNotes& other, std::uint64_t index) {
  for (const First& first : other.first_) add(first.number, index);
  for (const OfPod& pair : other.of_pods_) add(pair, index);
  if (!other.is_complete()) missed_from_ = missed_from_.value_or(index);
}

void EntryNotes::keep_before(std::uint64_t index) {
  for (; !first_.empty() && first_.back().index >= index; first_.pop_back()) {
    is_noted_[first_.back().number] = false;
  }
  for (; !first_of_pods_.empty() && first_of_pods_.back().index >= index;
       first_of_pods_.pop_back()) {
    of_pods_.erase(first_of_pods_.back().pair);
  }
  if (missed_from_ && *missed_from_ >= index) missed_from_.reset();
}

std::vector<std::uint32_t> EntryNotes::numbers() const {
  std::vector<std::uint32_t> out;
  out.reserve(first_.size());
  for (const First& first : first_) out.push_back(first.number);
  return out;
}

}  // namespace assay
