#include "tests/bench/rounds.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace assay::bench {
namespace {

constexpr int kRounds = 9;

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Rates measure(double units, const std::function<void()>& ours, const std::function<void()>& limit) {
  ours();
  limit();
  double best_ours = seconds(ours);
  double best_limit = seconds(limit);
  for (int round = 1; round < kRounds; ++round) {
    best_ours = std::min(best_ours, seconds(ours));
    best_limit = std::min(best_limit, seconds(limit));
  }
  return {.ours = units / best_ours, .limit = units / best_limit};
}

void add_rates(const Rates& rates, nlohmann::ordered_json& out) {
  out["ours_per_second"] = std::llround(rates.ours);
  out["limit_per_second"] = std::llround(rates.limit);
  out["ratio"] = std::round(rates.ratio() * 1000) / 1000;
}

}  // namespace assay::bench
