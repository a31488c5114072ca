// The golden snapshot that appraisals use right now.
#pragma once

#include <memory>

#include "core/golden_set.h"
#include "verifier/guarded.h"

namespace assay {

// Safe from any thread. An appraisal holds the snapshot that it began with; replacing it pauses no
// one.
class GoldenIndex {
 public:
  std::shared_ptr<const GoldenSnapshot> current() const {
    return snapshot_.with([](const auto& snapshot) { return snapshot; });
  }
  void replace(GoldenSnapshot snapshot) {
    auto next = std::make_shared<const GoldenSnapshot>(std::move(snapshot));
    snapshot_.with(
        [&](auto& current) { current.swap(next); });  // the old one is freed outside the lock
  }

 private:
  Guarded<std::shared_ptr<const GoldenSnapshot>> snapshot_{
      std::make_shared<const GoldenSnapshot>()};
};

}  // namespace assay
