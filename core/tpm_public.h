// A TPM's public area as an OpenSSL key, and which keys Assay accepts at all. For the .cc files that read
// attestation keys, endorsement keys and keys that sign files.
#pragma once

#include <tss2/tss2_tpm2_types.h>

#include "core/openssl.h"
#include "core/result.h"

namespace assay {

// The ids that the faults below have for one kind of key.
struct PublicFaults {
  FaultId malformed;
  FaultId unsupported;
};

// The public area of a TPM2B_PUBLIC.
//
//   bytes   untrusted, of any size: no TPM2B_PUBLIC is longer than its structure
//
// Fails with `faults.malformed` when it does not unmarshal, or with bytes left over. TPM 2.0 Library, Part 2: TPMT_PUBLIC (12.2.4), TPM2B_PUBLIC (12.2.5).
Result<TPMT_PUBLIC> unmarshal_public(ByteView bytes, const PublicFaults& faults);

// TPMT_PUBLIC within a TPM2B_PUBLIC that unmarshal_public() has read: what a name is the hash of.
ByteView public_area(ByteView tpm2b_public);

// The key in `area`, as check_key() accepts it. Says nothing of its attributes.
//
// Fails with, in this order:
//   faults.malformed    a point that is not on its curve
//   faults.unsupported  an algorithm, curve or size that check_key() refuses
Result<openssl::EvpPkey> key_from_public(const TPMT_PUBLIC& area, const PublicFaults& faults);

// Fails with `faults.unsupported` unless `key` is RSA of 2048 to 4096 bits with exponent 65537, or
// ECC on P-256, P-384 or P-521.
Status check_key(EVP_PKEY* key, const PublicFaults& faults);

// SHA-256 of the key's SubjectPublicKeyInfo: the same in whatever form the key came.
Result<Digest> spki_digest(EVP_PKEY* key, const PublicFaults& faults);

}  // namespace assay
