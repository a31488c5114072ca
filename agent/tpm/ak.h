// The attestation key in the TPM. For the .cc files of this room.
#pragma once

#include "agent/config.h"
#include "agent/tpm/connection.h"
#include "core/digest.h"

namespace assay::agent {

struct Ak {
  Object object;
  Bytes encoded;  // TPM2B_PUBLIC
};

// Loads the key at `settings.handle`, or makes it. Fails as Tpm::open().
Result<Ak> load_or_make_ak(const Connection& tpm, const AkSettings& settings);

// What the key signs with.
HashAlg signing_hash(AkAlgorithm algorithm);

}  // namespace assay::agent
