#include "verifier/signature_cache.h"

#include <cstring>
#include <utility>

namespace assay {
namespace {

// Holds a flag that was free.
class Hold {
 public:
  explicit Hold(std::atomic_flag& flag)
      : flag_(flag.test_and_set(std::memory_order_acquire) ? nullptr : &flag) {}
  ~Hold() {
    if (flag_ != nullptr) flag_->clear(std::memory_order_release);
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  explicit operator bool() const { return flag_ != nullptr; }

 private:
  std::atomic_flag* flag_;
};

}  // namespace

std::size_t SignatureCache::FirstBytes::operator()(const Digest& digest) const {
  std::size_t out = 0;
  std::memcpy(&out, digest.bytes().data(), sizeof out);
  return out;
}

SignatureCache::Shard& SignatureCache::shard_of(const Digest& digest) {
  return shards_[digest.bytes().back() % kShards];
}

void SignatureCache::keep(Shard& shard, const Digest& digest, Proof proof) {
  if (shard.used.size() >= kMaxUsed) {
    shard.unused = std::exchange(shard.used, {});
  }
  shard.used.insert_or_assign(digest, std::move(proof));
}

std::optional<Digest> SignatureCache::signer_of(const SignatureClaim& claim) {
  Shard& shard = shard_of(claim.signed_digest);
  const Hold hold(shard.busy);
  if (!hold) return std::nullopt;
  const auto is_claim = [&](const Proof& proof) {
    return proof.kind == claim.kind && proof.bytes.size() == claim.proof.size() &&
           std::memcmp(proof.bytes.data(), claim.proof.data(), claim.proof.size()) == 0;
  };
  if (const auto found = shard.used.find(claim.signed_digest); found != shard.used.end()) {
    return is_claim(found->second) ? std::optional(found->second.signer) : std::nullopt;
  }
  const auto found = shard.unused.find(claim.signed_digest);
  if (found == shard.unused.end() || !is_claim(found->second)) return std::nullopt;
  Proof proof = std::move(found->second);
  shard.unused.erase(found);
  const Digest signer = proof.signer;
  keep(shard, claim.signed_digest, std::move(proof));
  return signer;
}

void SignatureCache::remember(const SignatureClaim& claim, const Digest& signer) {
  if (claim.proof.size() > kMaxProofBytes) return;
  Shard& shard = shard_of(claim.signed_digest);
  const Hold hold(shard.busy);
  if (!hold) return;
  keep(shard, claim.signed_digest,
       {.kind = claim.kind, .bytes = {claim.proof.begin(), claim.proof.end()}, .signer = signer});
}

}  // namespace assay
