#include "tests/bench/golden_bench.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>
#include <vector>

#include "golden/set_file.h"
#include "tests/bench/rounds.h"
#include "tests/support/temp_dir.h"
#include "verifier/access/set_signers.h"
#include "verifier/golden_index.h"

namespace assay::bench {
namespace {

using Random = std::mt19937_64;

constexpr Instant kNow{std::chrono::hours(24 * 365 * 50)};
constexpr std::size_t kLookups = 1'000'000;
constexpr std::size_t kBytesOfADigest = 70;  // in a table, as core/digest_table.h says
constexpr auto kWatched = std::chrono::seconds(5);

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double round3(double value) {
  return std::round(value * 1000) / 1000;
}

Digest random_digest(Random& random) {
  Bytes bytes(hash_size(HashAlg::kSha256));
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
  return *Digest::from(HashAlg::kSha256, bytes);
}

GoldenSet image_of(std::string name, std::uint64_t files, Random& random) {
  GoldenSet set{.name = std::move(name), .source = "oci", .files = {}};
  for (std::uint64_t i = 0; i < files; ++i) {
    set.files.push_back({.path = "/usr/lib/x86_64-linux-gnu/package/file-" + std::to_string(i),
                         .digests = {random_digest(random)},
                         .size = 12'345,
                         .mode = 0644});
  }
  sort_files(set.files);
  return set;
}

// A verifier's store and index, without its connections.
struct Verifier {
  Store store;
  GoldenIndex index{1};

  // As a push over the network, once its bytes are here.
  Status push(ByteView file) {
    ASSAY_TRY(PushedSet pushed, read_pushed_set(file, {}));
    ASSAY_OK(store.push_golden(
        {.set = std::move(pushed.set), .digest = pushed.digest, .by = "bench"}, kNow));
    ASSAY_OK(index.refresh(store, kNow));
    return {};
  }
};

// Gives some of what is golden.
Result<std::vector<Digest>> fill(Store& store, const GoldenLoad& load, Random& random) {
  std::vector<Digest> known;
  for (std::uint64_t i = 0; i < load.sets; ++i) {
    GoldenSet set = image_of("bench/image-" + std::to_string(i), load.hashes / load.sets, random);
    for (std::size_t at = 0; at < set.files.size() && known.size() < (i + 1) * kLookups / load.sets;
         ++at) {
      known.push_back(set.files[at].digests.front());
    }
    ASSAY_OK(store.push_golden(
        {.set = std::move(set), .digest = random_digest(random), .by = "bench"}, kNow));
  }
  return known;
}

// Golden ones and others in turns, in random order.
std::vector<Digest> questions_of(const std::vector<Digest>& known, Random& random) {
  std::vector<Digest> out;
  for (const Digest& digest : known) {
    out.push_back(digest);
    out.push_back(random_digest(random));
  }
  std::ranges::shuffle(out, random);
  if (out.size() > kLookups) out.erase(out.begin() + kLookups, out.end());
  return out;
}

std::size_t count_golden(const GoldenIndex& index, const std::vector<Digest>& questions) {
  const auto golden = index.current();
  return static_cast<std::size_t>(std::ranges::count_if(
      questions, [&](const Digest& digest) { return golden->contains(digest); }));
}

Rates measure_lookups(const GoldenIndex& index, const std::vector<Digest>& questions,
                      std::uint64_t hashes) {
  const Bytes memory(hashes * kBytesOfADigest + kBytesOfADigest, 1);
  std::size_t sum = 0;
  const auto read_at_random = [&] {
    for (const Digest& digest : questions) {
      std::uint64_t place = 0;
      std::memcpy(&place, digest.bytes().data(), sizeof place);
      sum += memory[(place + sum) % memory.size()];
    }
  };
  const Rates rates = measure(
      static_cast<double>(questions.size()),
      [&] { ASSAY_CHECK(count_golden(index, questions) > 0); }, read_at_random);
  ASSAY_CHECK(sum > 0);
  return rates;
}

// How many rounds of look-ups one thread answers.
std::uint64_t watch(const GoldenIndex& index, const std::vector<Digest>& questions) {
  const std::vector<Digest> few(
      questions.begin(), questions.begin() + static_cast<std::ptrdiff_t>(
                                                 std::min<std::size_t>(questions.size(), 1000)));
  std::uint64_t rounds = 0;
  for (const auto start = std::chrono::steady_clock::now();
       std::chrono::steady_clock::now() - start < kWatched; ++rounds) {
    ASSAY_CHECK(count_golden(index, few) > 0);
  }
  return rounds;
}

// The part of look-ups that are still answered while snapshots are replaced.
double during_changes(Verifier& verifier, const std::vector<Digest>& questions) {
  const auto alone = static_cast<double>(watch(verifier.index, questions));
  std::atomic<bool> done = false;
  std::thread changes([&] {
    while (!done) ASSAY_CHECK(verifier.index.refresh(verifier.store, kNow).has_value());
  });
  const auto beside = static_cast<double>(watch(verifier.index, questions));
  done = true;
  changes.join();
  return beside / alone;
}

std::uint64_t resident_mib() {
  std::uint64_t pages = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) >> 20;
}

Result<double> time_push(Verifier& verifier, const GoldenSet& set) {
  const std::string file = format_golden_set(set);
  const auto start = std::chrono::steady_clock::now();
  ASSAY_OK(verifier.push(as_bytes(file)));
  return since(start);
}

// `assay golden find`, of a digest that one file has.
Result<double> time_find(Verifier& verifier, const Digest& digest) {
  const auto start = std::chrono::steady_clock::now();
  ASSAY_TRY(const GoldenOrigins found, verifier.store.golden_origins(digest));
  ASSAY_CHECK(found.total == 1);
  return since(start);
}

}  // namespace

Result<nlohmann::ordered_json> golden_bench(const GoldenLoad& load) {
  Random random(1);
  const testing::TempDir folder(load.folder);
  const auto database = folder / "assay.db";
  std::vector<Digest> known;
  {
    ASSAY_TRY(Store store, Store::open(database, {}));
    ASSAY_TRY(known, fill(store, load, random));
  }
  const auto start = std::chrono::steady_clock::now();
  ASSAY_TRY(Store store, Store::open(database, {}));
  Verifier verifier{.store = std::move(store)};
  ASSAY_TRY(const auto contents, verifier.index.refresh(verifier.store, kNow));
  const double start_seconds = since(start);
  const std::uint64_t resident = resident_mib();

  GoldenSet image = image_of("bench/pushed", load.push_files, random);
  ASSAY_TRY(const double push_seconds, time_push(verifier, image));
  for (std::size_t i = 0; i < image.files.size(); i += 100) {
    image.files[i].digests = {random_digest(random)};
  }
  ASSAY_TRY(const double replace_seconds, time_push(verifier, image));
  ASSAY_TRY(const double find_seconds, time_find(verifier, image.files[0].digests[0]));

  const std::vector<Digest> questions = questions_of(known, random);
  const Rates lookups = measure_lookups(verifier.index, questions, contents.hashes);
  nlohmann::ordered_json out;
  out["bench"] = "golden";
  out["hashes"] = contents.hashes;
  out["sets"] = contents.sets;
  out["database_mib"] = std::filesystem::file_size(database) >> 20;
  out["start_seconds"] = round3(start_seconds);
  out["resident_mib_at_start"] = resident;
  out["push_files"] = load.push_files;
  out["push_seconds"] = round3(push_seconds);
  out["replace_seconds"] = round3(replace_seconds);
  out["find_seconds"] = round3(find_seconds);
  out["during_changes"] = round3(during_changes(verifier, questions));
  add_rates(lookups, out);
  return out;
}

}  // namespace assay::bench
