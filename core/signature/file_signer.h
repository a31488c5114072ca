// A key whose signatures make files golden.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/digest.h"
#include "core/result.h"

namespace assay {

class EvpKey;  // OpenSSL's: core/openssl.h

inline constexpr std::size_t kMaxFileSignerBytes = 4096;

// A public key that signs files: RSA of 2048 to 4096 bits, or ECC on P-256, P-384 or P-521. Only
// parse_file_signer() makes one. Cheap to copy; immutable; safe from any thread.
class FileSigner {
 public:
  const Bytes& encoded() const { return encoded_; }           // SubjectPublicKeyInfo in DER
  const Digest& fingerprint() const { return fingerprint_; }  // SHA-256 of it

  // By which a file signature names its key: the last four bytes of SHA-1 over the key's bits (RFC
  // 5280, 4.2.1.2, method 1), as `evmctl` writes them. A hint, never a proof.
  std::uint32_t key_id() const { return key_id_; }

  // Whether `signature` is this key's for `digest`: RSA PKCS #1 v1.5 with the digest's algorithm
  // named, or ECDSA in DER. Both are untrusted.
  bool verify(const Digest& digest, ByteView signature) const;

  // Whether a signer of `cms`, a PKCS #7 or CMS SignedData in DER without content (RFC 5652), is this key
  // and has signed content whose digest is `content`, with or without signed attributes.
  bool verify_detached(const Digest& content, ByteView cms) const;

 private:
  friend Result<FileSigner> parse_file_signer(ByteView);
  FileSigner(std::shared_ptr<const EvpKey> key, ByteView spki);

  std::shared_ptr<const EvpKey> key_;
  Bytes encoded_;
  Digest fingerprint_;
  std::uint32_t key_id_ = 0;
};

// Reads a SubjectPublicKeyInfo in DER of at most kMaxFileSignerBytes, untrusted. Pure.
//
// Fails with kGoldenMalformed: not exactly one SubjectPublicKeyInfo, or of a key that is not one of
// those above.
Result<FileSigner> parse_file_signer(ByteView spki);

// The SubjectPublicKeyInfo of what a person gave as PEM or DER: one certificate or one public key. Of a
// certificate only the key counts: who issued it, and until when, is not asked. Nothing when it is
// neither. Total and pure.
std::optional<Bytes> signer_spki(ByteView file);

}  // namespace assay
