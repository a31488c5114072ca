// The endorsement key and its certificate. For the .cc files of this room.
#pragma once

#include "agent/config.h"
#include "agent/tpm/ak.h"
#include "agent/tpm/tpm.h"

namespace assay::agent {

// Which endorsement key the TPM is known by, and what certifies it. Fails as Tpm::identity().
Result<TpmIdentity> read_identity(const Connection& tpm, EkChoice choice);

// TPM2_ActivateCredential with the endorsement key that read_identity() gives. Fails as
// Tpm::activate().
Result<Bytes> activate_credential(const Connection& tpm, const Object& ak, EkChoice choice,
                                  const Credential& credential);

}  // namespace assay::agent
