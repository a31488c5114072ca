// How long to wait before the next attempt.
#pragma once

#include <algorithm>
#include <chrono>

namespace assay {

// The first pause, twice that, and so on up to the longest; reset() begins anew.
class RetryPause {
 public:
  RetryPause(std::chrono::milliseconds first, std::chrono::milliseconds longest)
      : first_(first), longest_(longest), next_(first) {}

  std::chrono::milliseconds next() {
    const auto out = next_;
    next_ = std::min(2 * next_, longest_);
    return out;
  }
  void reset() { next_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds longest_;
  std::chrono::milliseconds next_;
};

}  // namespace assay
