// How long to wait before the verifier is dialled again.
#pragma once

#include <algorithm>
#include <chrono>

namespace assay::agent {

// Exponential with full jitter: a fleet that lost its verifier does not come back at one instant.
// `random` is in [0, 1) and drawn by the caller for each wait. Pure.
class Backoff {
 public:
  static constexpr std::chrono::milliseconds kFirst{500};
  static constexpr std::chrono::milliseconds kSlowest{30'000};

  // The wait after one more failure: anything up to a ceiling that doubles from kFirst to kSlowest.
  std::chrono::milliseconds next(double random) {
    const auto wait = part(ceiling_, random);
    ceiling_ = std::min(ceiling_ * 2, kSlowest);
    return wait;
  }

  // The wait after a failure that only a person can mend: between half of kSlowest and kSlowest.
  std::chrono::milliseconds slow(double random) {
    ceiling_ = kSlowest;
    return kSlowest / 2 + part(kSlowest / 2, random);
  }

  // The connection has been of use: the next failure is a first one.
  void reset() { ceiling_ = kFirst; }

 private:
  static std::chrono::milliseconds part(std::chrono::milliseconds whole, double random) {
    return std::chrono::milliseconds(
        static_cast<std::chrono::milliseconds::rep>(static_cast<double>(whole.count()) * random));
  }

  std::chrono::milliseconds ceiling_ = kFirst;
};

}  // namespace assay::agent
