// Judging a node a part at a time gives what judging it from scratch gives, whatever happens between.
//
// Every history goes through attest(), and is kept by decide() and a few lines of memory. One in
// ASSAY_STORED_EVERY is walked a second time, and kept by the verifier's own ledger and store, in a
// file that is opened anew when the verifier crashes: that takes ten times as long. The file is in
// memory where the machine has a place for that, since no history pulls the plug.
// ASSAY_SCHEDULE=<seed> walks one history again, kept both ways.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include "tests/history/memory_keeper.h"
#include "tests/history/node_history.h"
#include "tests/history/store_keeper.h"

using namespace assay::testing;

namespace {

constexpr std::uint64_t kWorkers = 2;

std::filesystem::path place_for_files() {
  const std::filesystem::path memory = "/dev/shm";
  return std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
}

std::string walk_in_memory(Tpms& tpms, std::uint64_t seed) {
  MemoryKeeper keeper;
  return NodeHistory(tpms, keeper, seed).walk();
}

std::string walk_stored(Tpms& tpms, const TempDir& dir, std::uint64_t seed) {
  StoreKeeper keeper(dir);
  return NodeHistory(tpms, keeper, seed).walk();
}

// Walks every kWorkers-th history from `first` on; what the first one that fails says.
std::string walk_share(std::uint64_t first) {
  Tpms tpms;
  const TempDir dir(place_for_files());
  for (std::uint64_t seed = first; seed < ASSAY_SCHEDULES; seed += kWorkers) {
    std::string wrong = walk_in_memory(tpms, seed);
    const bool stored = seed / kWorkers % ASSAY_STORED_EVERY == 0;
    if (wrong.empty() && stored) wrong = walk_stored(tpms, dir, seed);
    if (!wrong.empty()) return "schedule " + std::to_string(seed) + ": " + wrong;
  }
  return "";
}

}  // namespace

TEST_CASE("attest, decide, Ledger: what is judged a part at a time is as judged from scratch") {
  if (const char* seed = std::getenv("ASSAY_SCHEDULE")) {
    Tpms tpms;
    const TempDir dir(place_for_files());
    const std::uint64_t number = std::strtoull(seed, nullptr, 10);
    CHECK(walk_in_memory(tpms, number) == "");
    CHECK(walk_stored(tpms, dir, number) == "");
    return;
  }
  std::vector<std::future<std::string>> shares;
  for (std::uint64_t i = 0; i < kWorkers; ++i) {
    shares.push_back(std::async(std::launch::async, walk_share, i));
  }
  for (auto& share : shares) CHECK(share.get() == "");
}
