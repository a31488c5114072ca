// The key that signs a node's quotes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/digest.h"
#include "core/result.h"

namespace assay {

class EvpKey;  // OpenSSL's: core/openssl.h

enum class SignatureScheme : std::uint8_t { kRsaSsa, kRsaPss, kEcdsa };

// A public attestation key. Only parse_ak_public() makes one. It fixes how quotes are checked: no
// quote can choose another algorithm. Cheap to copy; immutable; safe from any thread.
class AkPublic {
 public:
  const EvpKey& key() const { return *key_; }
  ByteView encoded() const { return encoded_; }  // as parsed

  bool is_rsa() const { return is_rsa_; }
  // What a TPM2B_PUBLIC says its key signs with; nothing for a PEM key, which does not say.
  std::optional<SignatureScheme> scheme() const { return scheme_; }
  std::optional<HashAlg> scheme_hash() const { return scheme_hash_; }

  // SHA-256 of the key's SubjectPublicKeyInfo: the same for a TPM2B_PUBLIC and a PEM of one key.
  const Digest& fingerprint() const { return fingerprint_; }

  // Whether the key's TPM attributes are known, which a PEM cannot say.
  bool tpm_bound() const { return scheme_.has_value(); }

  // The object's name in its TPM, attributes included: nameAlg as 16 bits, and the hash of the
  // public area. Empty for a PEM key, and for a name algorithm other than SHA-256, -384 or -512.
  const Bytes& name() const { return name_; }

  // Whether the TPM lets the key sign while it is locked out. False for a PEM key.
  bool no_da() const { return no_da_; }

 private:
  friend Result<AkPublic> parse_ak_public(ByteView);
  AkPublic(std::shared_ptr<const EvpKey> key, Bytes encoded, Digest fingerprint)
      : key_(std::move(key)), encoded_(std::move(encoded)), fingerprint_(fingerprint) {}

  std::shared_ptr<const EvpKey> key_;
  Bytes encoded_;
  Digest fingerprint_;
  bool is_rsa_ = false;
  std::optional<SignatureScheme> scheme_;
  std::optional<HashAlg> scheme_hash_;
  Bytes name_;
  bool no_da_ = false;
};

// Reads an attestation key: a TPM2B_PUBLIC as the TPM marshals it, or one PEM block "PUBLIC KEY".
//
//   bytes   at most 4 KiB, untrusted
//
// Accepts RSA of 2048 to 4096 bits with exponent 65537, and ECC on P-256, P-384 or P-521.
// Fails with, in this order:
//   kAkMalformed    over 4 KiB; neither form; bytes left over; a point that is not on its curve
//   kAkUnsupported  another algorithm, curve or size; a TPM2B_PUBLIC whose scheme is not RSASSA,
//                   RSAPSS or ECDSA with SHA-1 or SHA-2
//   kAkAttributes   a TPM2B_PUBLIC that is not restricted, sign, fixedTPM, fixedParent and
//                   sensitiveDataOrigin, or that may decrypt
//
// Does not prove that the key lives in any particular TPM: enrolment does. Pure.
//
// TPM 2.0 Library, Part 2: TPMA_OBJECT (8.3), TPMT_PUBLIC (12.2.4), TPM2B_PUBLIC (12.2.5).
Result<AkPublic> parse_ak_public(ByteView bytes);

// Whether a node may enrol with `ak` by its TPM's word. An operator may enrol other keys by hand.
//
// Fails with, in the order checked:
//   kAkMalformed    a PEM key: what cannot be named cannot be proven by a credential
//   kAkUnsupported  a name algorithm other than SHA-256, SHA-384 or SHA-512
//   kAkLockout      without noDA: unorderly shutdowns would lock the key (Part 1, 19.8)
//
// Pure.
Status check_enrollable(const AkPublic& ak);

}  // namespace assay
