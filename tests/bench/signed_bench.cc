#include "tests/bench/signed_bench.h"

#include <chrono>
#include <cmath>

#include "core/appraise.h"
#include "tests/bench/replay_bench.h"
#include "tests/bench/rounds.h"
#include "tests/support/ima_builder.h"
#include "tests/support/signing.h"
#include "verifier/signature_cache.h"

namespace assay::bench {
namespace {

using testing::SigningKey;

constexpr std::size_t kFiles = 1000;

// One of them golden by digest, the other by who signed it.
struct Side {
  BenchLog log;
  GoldenSnapshot golden;
};

enum class Golden : std::uint8_t { kDigests, kSigner };

// Of files that `key` has signed, or of unsigned ones when it is null.
Result<Side> make_side(const SigningKey* key, Golden by, std::uint64_t least_entries) {
  testing::ImaBuilder log;
  GoldenSnapshot::Builder golden;
  const auto set = golden.add_set("bench");
  if (by == Golden::kSigner) golden.add_signer(set, key->signer());
  for (std::size_t i = 0; i < kFiles; ++i) {
    const std::string name = "/usr/lib/x86_64-linux-gnu/file-" + std::to_string(i);
    const Digest digest = testing::digest_of(name);
    if (by == Golden::kDigests) golden.add(set, digest);
    log.record(kImaPcr, "ima-sig",
               {testing::d_ng(digest), testing::n_ng(name),
                key == nullptr ? Bytes() : testing::sig_v2(*key, digest)});
  }
  ASSAY_TRY(BenchLog bench, BenchLog::make(log.bytes(), HashAlg::kSha256, least_entries));
  return Side{std::move(bench), std::move(golden).build()};
}

void judge(const Side& side, const QuotedPcrs& proof, SignatureMemory* memory) {
  const LogExpectation expected{.golden = &side.golden, .signatures = memory};
  const LogAppraiser appraiser(proof, expected);
  const auto proven = replay_ima_log(side.log.bytes(), proof, {}, {}, &appraiser);
  ASSAY_CHECK(proven.has_value());
  // The first entry is no boot_aggregate, and no more is wrong.
  ASSAY_CHECK(appraiser.appraise(*proven).faults.total() == 1);
}

double round3(double value) {
  return std::round(value * 1000) / 1000;
}

}  // namespace

Result<nlohmann::ordered_json> signed_bench(std::uint64_t least_entries) {
  const SigningKey key = SigningKey::ecdsa();
  ASSAY_TRY(const Side with, make_side(&key, Golden::kSigner, least_entries));
  ASSAY_TRY(const Side by_digest, make_side(&key, Golden::kDigests, least_entries));
  ASSAY_TRY(const Side without, make_side(nullptr, Golden::kDigests, least_entries));
  const QuotedPcrs with_proof = with.log.quote();
  const QuotedPcrs by_digest_proof = by_digest.log.quote();
  const QuotedPcrs without_proof = without.log.quote();
  SignatureCache cache;
  ASSAY_TRY(const Side once, make_side(&key, Golden::kSigner, 1));
  const QuotedPcrs once_proof = once.log.quote();
  const auto start = std::chrono::steady_clock::now();
  judge(once, once_proof, &cache);
  const std::chrono::duration<double> first = std::chrono::steady_clock::now() - start;
  const double entries = static_cast<double>(with.log.entries());
  judge(with, with_proof, &cache);
  const Rates rates = measure(
      entries, [&] { judge(with, with_proof, &cache); },
      [&] { judge(without, without_proof, nullptr); });
  const Rates same_log = measure(
      entries, [&] { judge(with, with_proof, &cache); },
      [&] { judge(by_digest, by_digest_proof, nullptr); });
  const Rates bare = measure(
      entries, [&] { ASSAY_CHECK(with.log.digest_only() == with.log.pcrs()); },
      [&] { ASSAY_CHECK(without.log.digest_only() == without.log.pcrs()); });
  nlohmann::ordered_json out;
  out["bench"] = "signed";
  out["alg"] = "p256";
  out["entries"] = with.log.entries();
  out["first_sight_per_second"] = std::llround(static_cast<double>(kFiles) / first.count());
  out["signed_per_second"] = std::llround(rates.ours);
  out["unsigned_per_second"] = std::llround(rates.limit);
  out["ratio"] = round3(rates.ratio());
  out["same_log_ratio"] = round3(same_log.ratio());
  out["bare_digest_ratio"] = round3(bare.ratio());
  return out;
}

}  // namespace assay::bench
