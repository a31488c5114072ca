// Judging a node a part at a time gives what judging it from scratch gives, whatever happens between.
// ASSAY_SCHEDULE=<seed> walks one history again.
#include <doctest/doctest.h>

#include <cstdlib>
#include <future>
#include <string>
#include <vector>

#include "tests/history/node_history.h"

using namespace assay::testing;

namespace {

constexpr std::uint64_t kWorkers = 2;

// Walks every kWorkers-th history from `first` on; what the first one that fails says.
std::string walk_share(std::uint64_t first) {
  FakeTpm tpm;
  for (std::uint64_t seed = first; seed < ASSAY_SCHEDULES; seed += kWorkers) {
    const std::string wrong = NodeHistory(tpm, seed).walk();
    if (!wrong.empty()) return "schedule " + std::to_string(seed) + ": " + wrong;
  }
  return "";
}

}  // namespace

TEST_CASE("attest, decide: what is judged a part at a time is what is judged from scratch") {
  if (const char* seed = std::getenv("ASSAY_SCHEDULE")) {
    FakeTpm tpm;
    CHECK(NodeHistory(tpm, std::strtoull(seed, nullptr, 10)).walk() == "");
    return;
  }
  std::vector<std::future<std::string>> shares;
  for (std::uint64_t i = 0; i < kWorkers; ++i) {
    shares.push_back(std::async(std::launch::async, walk_share, i));
  }
  for (auto& share : shares) CHECK(share.get() == "");
}
