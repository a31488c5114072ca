// Whether a golden set accepts an entry for who signed its file.
#pragma once

#include <cstddef>
#include <optional>

#include "core/golden_set.h"
#include "core/signature/ima_signature.h"

namespace assay {

// Proofs that have verified before, with the key that made them, so that the same files cost nothing on
// the next node and after the next boot. Safe from any thread; may forget at any time.
class SignatureMemory {
 public:
  virtual ~SignatureMemory() = default;
  // The fingerprint of the key that made claim.proof for claim.signed_digest and claim.kind, each of
  // them exactly as remembered; nothing when that is not known.
  virtual std::optional<Digest> signer_of(const SignatureClaim& claim) = 0;
  virtual void remember(const SignatureClaim& claim, const Digest& signer) = 0;
};

// The position of one of golden.signers() that vouches for `entry`; nothing when none does.
//
//   memory   asked before anything is verified, and told of what was; null: there is none
//
// Total; pure but for `memory`, which changes no answer.
std::optional<std::size_t> find_signer(const ImaEntry& entry, const GoldenSnapshot& golden,
                                       SignatureMemory* memory);

// The same of what is remembered alone: nothing is verified.
std::optional<std::size_t> recall_signer(const ImaEntry& entry, const GoldenSnapshot& golden,
                                         SignatureMemory* memory);

}  // namespace assay
