// TPM2_MakeCredential by ourselves: a secret that only one TPM, holding two keys, can open.
#pragma once

#include <array>

#include "core/ak_public.h"
#include "core/enrolment/ek_public.h"

namespace assay {

inline constexpr std::size_t kCredentialSecretSize = 32;
using CredentialSecret = std::array<std::uint8_t, kCredentialSecretSize>;

// What goes to the node; nothing in it is secret.
struct Credential {
  Bytes id_object;         // TPM2B_ID_OBJECT
  Bytes encrypted_secret;  // TPM2B_ENCRYPTED_SECRET
};

// Wraps `secret` so that TPM2_ActivateCredential gives it back only in the TPM that holds both `ek`
// and a key of the name `ak_name`.
//
//   ak_name  AkPublic::name(): of the attestation key, attributes included
//   secret   fresh from the operating system's generator, used once
//
// Fails with kEkUnsupported when OpenSSL refuses the key. The seed, the ephemeral key and OAEP's
// padding come from OpenSSL's generator; otherwise pure.
//
// TPM 2.0 Library, Part 1, 24 (credential protection), B.10.4 (RSA) and C.6.4 (ECC); Part 3, 12.6.
Result<Credential> make_credential(const EkPublic& ek, ByteView ak_name,
                                   const CredentialSecret& secret);

}  // namespace assay
