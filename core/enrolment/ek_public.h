// The endorsement key: what makes a TPM that TPM, and no other.
#pragma once

#include <cstdint>
#include <memory>

#include "core/digest.h"
#include "core/result.h"

namespace assay {

class EvpKey;  // OpenSSL's: core/openssl.h

// A public endorsement key (EK). Only parse_ek_public() makes one. It fixes how a credential is made
// for it: nothing that the node says later can choose an algorithm. Cheap to copy; immutable; safe
// from any thread.
class EkPublic {
 public:
  const EvpKey& key() const { return *key_; }
  ByteView encoded() const { return encoded_; }  // TPM2B_PUBLIC, as parsed

  // SHA-256 of the key's SubjectPublicKeyInfo: the identity of the TPM. The public area around the
  // key is the node's word, which no certificate confirms: hashed with it, one TPM could pass for
  // many.
  const Digest& id() const { return id_; }

  bool is_rsa() const { return is_rsa_; }
  HashAlg name_alg() const { return name_alg_; }
  std::uint16_t symmetric_bits() const { return symmetric_bits_; }  // of AES-CFB: 128, 192 or 256

 private:
  friend Result<EkPublic> parse_ek_public(ByteView);
  EkPublic(std::shared_ptr<const EvpKey> key, Bytes encoded, Digest id)
      : key_(std::move(key)), encoded_(std::move(encoded)), id_(id) {}

  std::shared_ptr<const EvpKey> key_;
  Bytes encoded_;
  Digest id_;
  bool is_rsa_ = false;
  HashAlg name_alg_ = HashAlg::kSha256;
  std::uint16_t symmetric_bits_ = 128;
};

// Reads an endorsement key: a TPM2B_PUBLIC as the TPM marshals it.
//
//   bytes   at most 4 KiB, untrusted
//
// Accepts RSA of 2048 to 4096 bits with exponent 65537, and ECC on P-256, P-384 or P-521, with name
// algorithm SHA-256, SHA-384 or SHA-512 and AES-CFB as its symmetric algorithm.
// Fails with, in this order:
//   kEkMalformed    over 4 KiB; does not unmarshal; bytes left over; a point that is not on its curve
//   kEkUnsupported  another algorithm, curve or size; another name algorithm or symmetric algorithm
//   kEkAttributes   not restricted, decrypt, fixedTPM, fixedParent and sensitiveDataOrigin, or it may
//                   sign
//
// Does not prove that a TPM has it: the certificate and the credential do. Pure.
//
// TCG EK Credential Profile 2.5, annex B (templates); TPM 2.0 Library, Part 2: TPMT_PUBLIC (12.2.4).
Result<EkPublic> parse_ek_public(ByteView bytes);

}  // namespace assay
