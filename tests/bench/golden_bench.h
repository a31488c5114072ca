// Golden sets at the size of a large cluster: pushes, start-up, look-ups.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/result.h"

namespace assay::bench {

struct GoldenLoad {
  std::uint64_t hashes = 10'000'000;  // all different
  std::uint64_t sets = 1000;          // at least 1; of equal sizes
  std::uint64_t push_files = 30'000;  // of one more image
  // Where the database is made, and is gone from afterwards.
  std::filesystem::path folder = std::filesystem::temp_directory_path();
};

// Fills a database with sets and measures, in seconds,
//   "push"            reading one more image's set, storing it, and putting it before appraisals
//   "replace"         the same image with one file of a hundred changed
//   "start"           opening the database and making the index of everything that counts
// and look-ups of a digest, half of them golden, by one thread: against the limit, which is one read
// after the other at random places of as much memory, and as "during_changes", the part of them that are still answered
// while another thread makes indexes without a pause; two threads want two cores.
Result<nlohmann::ordered_json> golden_bench(const GoldenLoad& load);

}  // namespace assay::bench
