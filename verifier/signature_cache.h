// File signatures that have verified, remembered for all nodes.
#pragma once

#include <array>
#include <atomic>
#include <optional>
#include <vector>

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
  // Proofs by what was signed. All of it lies close together: a look-up is to cost less than the hashing
  // of the entry that asks.
  class Proofs {
   public:
    struct Proof {
      Digest signed_digest;
      SignatureKind kind;
      std::uint16_t signer = 0;  // in signers_
      std::uint16_t size = 0;
      std::uint32_t at = 0;  // in bytes_
    };

    // The proof of what the claim says was signed, which may be of another kind or by other bytes.
    const Proof* find(const Digest& signed_digest) const;
    bool is_of(const Proof& proof, const SignatureClaim& claim) const;
    const Digest& signer(const Proof& proof) const { return signers_[proof.signer]; }
    // Not full.
    void add(const SignatureClaim& claim, const Digest& signer);
    // Another proof of the same digest counts, too: both have their bytes here.
    bool is_full() const { return proofs_.size() == kMaxUsed; }

   private:
    std::size_t position(const Digest& signed_digest) const;
    std::uint16_t index_of(const Digest& signer);

    std::vector<std::uint16_t>
        slots_;  // open addressing: none, or twice kMaxUsed; a proof's number
    std::vector<Proof> proofs_;
    std::vector<Digest> signers_;
    Bytes bytes_;
  };

  // When `used` is full, what is in `unused` is forgotten and the two change places.
  struct Shard {
    std::atomic_flag busy;  // a mutex that is only ever tried, at a third of the price
    Proofs used;
    Proofs unused;
  };
  static constexpr std::size_t kShards = 64;
  static constexpr std::size_t kMaxUsed = kMaxProofs / kShards / 2;

  Shard& shard_of(const Digest& digest);
  static void keep(Shard& shard, const SignatureClaim& claim, const Digest& signer);

  std::array<Shard, kShards> shards_;
};

}  // namespace assay
