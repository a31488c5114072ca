#include "verifier/signature_cache.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace assay {
namespace {

constexpr std::uint16_t kFree = std::numeric_limits<std::uint16_t>::max();

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

// The slot of a digest, or the free one where it would be: there is one. Digests are as good as random, and
// only who holds a golden key chooses which are here.
std::size_t SignatureCache::Proofs::position(const Digest& signed_digest) const {
  std::size_t at = 0;
  std::memcpy(&at, signed_digest.bytes().data(), sizeof at);
  const std::size_t mask = slots_.size() - 1;
  at &= mask;
  while (slots_[at] != kFree && proofs_[slots_[at]].signed_digest != signed_digest) {
    at = (at + 1) & mask;
  }
  return at;
}

const SignatureCache::Proofs::Proof* SignatureCache::Proofs::find(
    const Digest& signed_digest) const {
  if (slots_.empty()) return nullptr;
  const std::uint16_t number = slots_[position(signed_digest)];
  return number == kFree ? nullptr : &proofs_[number];
}

bool SignatureCache::Proofs::is_of(const Proof& proof, const SignatureClaim& claim) const {
  return proof.kind == claim.kind && proof.size == claim.proof.size() &&
         std::memcmp(bytes_.data() + proof.at, claim.proof.data(), claim.proof.size()) == 0;
}

std::uint16_t SignatureCache::Proofs::index_of(const Digest& signer) {
  const auto found = std::ranges::find(signers_, signer);
  const auto index = static_cast<std::uint16_t>(found - signers_.begin());
  if (found == signers_.end()) signers_.push_back(signer);
  return index;
}

void SignatureCache::Proofs::add(const SignatureClaim& claim, const Digest& signer) {
  slots_.resize(2 * kMaxUsed, kFree);
  slots_[position(claim.signed_digest)] = static_cast<std::uint16_t>(proofs_.size());
  proofs_.push_back({.signed_digest = claim.signed_digest,
                     .kind = claim.kind,
                     .signer = index_of(signer),
                     .size = static_cast<std::uint16_t>(claim.proof.size()),
                     .at = static_cast<std::uint32_t>(bytes_.size())});
  bytes_.insert(bytes_.end(), claim.proof.begin(), claim.proof.end());
}

SignatureCache::Shard& SignatureCache::shard_of(const Digest& digest) {
  return shards_[digest.bytes().back() % kShards];
}

void SignatureCache::keep(Shard& shard, const SignatureClaim& claim, const Digest& signer) {
  if (shard.used.is_full()) shard.unused = std::exchange(shard.used, {});
  shard.used.add(claim, signer);
}

std::optional<Digest> SignatureCache::signer_of(const SignatureClaim& claim) {
  Shard& shard = shard_of(claim.signed_digest);
  const Hold hold(shard.busy);
  if (!hold) return std::nullopt;
  if (const auto* found = shard.used.find(claim.signed_digest)) {
    return shard.used.is_of(*found, claim) ? std::optional(shard.used.signer(*found))
                                           : std::nullopt;
  }
  const auto* found = shard.unused.find(claim.signed_digest);
  if (found == nullptr || !shard.unused.is_of(*found, claim)) return std::nullopt;
  const Digest signer = shard.unused.signer(*found);
  keep(shard, claim, signer);
  return signer;
}

void SignatureCache::remember(const SignatureClaim& claim, const Digest& signer) {
  if (claim.proof.size() > kMaxProofBytes) return;
  Shard& shard = shard_of(claim.signed_digest);
  const Hold hold(shard.busy);
  if (hold) keep(shard, claim, signer);
}

}  // namespace assay
