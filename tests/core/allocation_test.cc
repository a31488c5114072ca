// Replay and appraisal of one more entry cost no allocation of ours. In a program of its own: it counts
// every operator new. OpenSSL's own are not counted: version 3.0 makes some for each digest.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <new>

#include "core/appraise.h"
#include "tests/support/fake_tpm.h"
#include "tests/support/ima_builder.h"
#include "tests/support/signing.h"

namespace {

thread_local std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  void* out = std::malloc(size == 0 ? 1 : size);
  ASSAY_CHECK(out != nullptr);
  return out;
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

using namespace assay;
using namespace assay::testing;

namespace {

constexpr std::size_t kFiles = 50;
constexpr std::size_t kPods = 9;

// Finds without allocating.
class Remembered final : public SignatureMemory {
 public:
  std::optional<Digest> signer_of(const SignatureClaim& claim) override {
    const auto found = signers_.find(claim.signed_digest);
    return found == signers_.end() ? std::nullopt : std::optional(found->second);
  }
  void remember(const SignatureClaim& claim, const Digest& signer) override {
    signers_.emplace(claim.signed_digest, signer);
  }

 private:
  std::map<Digest, Digest> signers_;
};

struct Log {
  ImaBuilder builder;
  QuotedPcrs proof;
};

QuotedPcrs quoted(const ImaBuilder& log) {
  FakeTpm tpm;
  tpm.set(log.pcrs());
  const Nonce nonce = nonce_of(1);
  return verify_quote(tpm.quote(nonce), tpm.ak(), nonce, {}).value();
}

std::string cgroup_of(std::size_t pod) {
  return "/kubepods/pod00000000-0000-4000-8000-00000000000" + std::to_string(pod) + "/web";
}

// Unsigned files, signed ones, and those of pods by cgroup and by owner, in turn.
Log log_of(std::size_t entries, const SigningKey& key) {
  ImaBuilder log;
  log.boot_aggregate(FakeTpm().pcrs);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::string name = "/bin/" + std::to_string(i % kFiles);
    if (i % 4 == 0) {
      log.file(name, digest_of(name));
    } else if (i % 4 == 1) {
      log.file_in_cgroup(name, digest_of(name), cgroup_of(i % kPods));
    } else if (i % 4 == 2) {
      log.file_of(name, digest_of(name), PodLabel::kUidsPerPod * (1 + i % kPods));
    } else {
      const Digest digest = digest_of(name + " signed");
      static std::map<Digest, Bytes> signatures;
      if (!signatures.contains(digest)) signatures.emplace(digest, sig_v2(key, digest));
      log.record(kImaPcr, "ima-sig", {d_ng(digest), n_ng(name), signatures.at(digest)});
    }
  }
  QuotedPcrs proof = quoted(log);
  return {std::move(log), std::move(proof)};
}

std::size_t allocations_for(const Log& log, const GoldenSnapshot& golden, SignatureMemory& memory) {
  const LogExpectation expected{.golden = &golden, .signatures = &memory};
  const LogAppraiser appraiser(log.proof, expected);
  const std::size_t before = allocations;
  const auto proven = replay_ima_log(log.builder.bytes(), log.proof, {}, {}, &appraiser);
  REQUIRE(proven.has_value());
  const LogAppraisal got = appraiser.appraise(*proven);
  const std::size_t made = allocations - before;
  CHECK(got.faults.empty());
  CHECK(got.accepted.digest + got.accepted.signers.at(0).entries + 1 == log.builder.entries());
  CHECK(got.accepted.pods.size() == 2 * kPods);
  return made;
}

}  // namespace

TEST_CASE(
    "replay and appraisal: no allocation per entry, whatever makes it golden and whosever it is") {
  const SigningKey key = SigningKey::ecdsa();
  GoldenSnapshot::Builder builder;
  const auto set = builder.add_set("files");
  builder.add_signer(set, key.signer());
  for (std::size_t i = 0; i < kFiles; ++i) builder.add(set, digest_of("/bin/" + std::to_string(i)));
  const GoldenSnapshot golden = std::move(builder).build();
  Remembered memory;
  const Log small = log_of(1000, key);
  const Log large = log_of(50'000, key);
  allocations_for(small, golden, memory);  // the first sight
  const std::size_t of_small = allocations_for(small, golden, memory);
  CHECK(of_small > 0);  // it counts
  CHECK(allocations_for(large, golden, memory) == of_small);
}
