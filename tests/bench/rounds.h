// Two ways to do the same work, timed side by side.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

namespace assay::bench {

// How many units of work a second, at best.
struct Rates {
  double ours = 0;
  double limit = 0;
  double ratio() const { return ours / limit; }
};

// Runs both in turns, so that what disturbs the machine disturbs both, and takes the shortest time of
// each. Each call does `units` units.
Rates measure(double units, const std::function<void()>& ours, const std::function<void()>& limit);

// "ours_per_second", "limit_per_second" and "ratio" into `out`.
void add_rates(const Rates& rates, nlohmann::ordered_json& out);

}  // namespace assay::bench
