// File signatures that have verified, remembered for all nodes.
#pragma once

#include <array>
#include <atomic>
#include <unordered_map>

#include "core/signature/golden_signature.h"

namespace assay {

// At most kMaxProofs of at most kMaxProofBytes each, in memory only; the longest unused go first. Nobody
// waits for another thread: what is busy is verified again.
class SignatureCache final : public SignatureMemory {
 public:
  static constexpr std::size_t kMaxProofs = std::size_t{1} << 17;
  static constexpr std::size_t kMaxProofBytes = 4096;

  std::optional<Digest> signer_of(const SignatureClaim& claim) override;
  void remember(const SignatureClaim& claim, const Digest& signer) override;

 private:
  struct Proof {
    SignatureKind kind;
    Bytes bytes;
    Digest signer;
  };
  // Digests are as good as random.
  struct FirstBytes {
    std::size_t operator()(const Digest& digest) const;
  };
  using Proofs = std::unordered_map<Digest, Proof, FirstBytes>;  // by what was signed

  // When `used` is full, what is in `unused` is forgotten and the two change places.
  struct Shard {
    std::atomic_flag busy;  // a mutex that is only ever tried, at a third of the price
    Proofs used;
    Proofs unused;
  };
  static constexpr std::size_t kShards = 64;
  static constexpr std::size_t kMaxUsed = kMaxProofs / kShards / 2;

  Shard& shard_of(const Digest& digest);
  static void keep(Shard& shard, const Digest& digest, Proof proof);

  std::array<Shard, kShards> shards_;
};

}  // namespace assay
