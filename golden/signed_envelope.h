// DSSE envelopes: a golden set with the signatures of those who vouch for it.
//
// Format: DSSE v1 (github.com/secure-systems-lab/dsse: envelope.md, protocol.md). What is signed is not
// the JSON but PAE(payloadType, payload), so no parser stands before the signature check.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/digest.h"
#include "core/result.h"

namespace assay {

class EvpKey;  // OpenSSL's: core/openssl.h

inline constexpr std::string_view kInTotoPayload = "application/vnd.in-toto+json";
inline constexpr std::size_t kMaxEnvelopeBytes = std::size_t{360}
                                                 << 20;  // a set in base64, and more
inline constexpr std::size_t kMaxEnvelopeSignatures = 16;
inline constexpr std::size_t kMaxSigningKeyBytes = 4096;

struct DsseSignature {
  std::string key_id;  // a hint, never a proof: empty, or as SigningPublicKey::id() says
  Bytes signature;
};

// Of payload type kInTotoPayload.
struct DsseEnvelope {
  Bytes payload;
  std::vector<DsseSignature> signatures;
};

// Reads an envelope, untrusted. Members that are not known are passed over, as DSSE asks.
//
// Fails with
//   kGoldenTooLarge   over kMaxEnvelopeBytes or kMaxEnvelopeSignatures
//   kGoldenMalformed  not JSON; a member that is missing or ill-typed; another payload type; text that is
//                     not standard base64; no signature
//
// Pure.
Result<DsseEnvelope> parse_envelope(ByteView json);

// The envelope as a file.
std::string format_envelope(const DsseEnvelope& envelope);

// What a signature of the envelope is over.
Bytes pre_authentication_encoding(ByteView payload);

class SigningPrivateKey;

// A key that may vouch for sets: ECDSA on P-256 with SHA-256, or Ed25519. Cheap to copy; immutable; safe
// from any thread.
class SigningPublicKey {
 public:
  // "sha256:…" of the key's SubjectPublicKeyInfo in DER.
  const std::string& id() const { return id_; }
  bool verify(ByteView message, ByteView signature) const;

 private:
  friend Result<SigningPublicKey> parse_signing_public_key(ByteView);
  friend Result<SigningPrivateKey> parse_signing_private_key(ByteView);
  friend class SigningPrivateKey;
  explicit SigningPublicKey(std::shared_ptr<const EvpKey> key);

  std::shared_ptr<const EvpKey> key_;
  std::string id_;
};

// Reads one PEM block "PUBLIC KEY". Fails with kGoldenMalformed: over kMaxSigningKeyBytes, no such block,
// or of another kind of key. Pure.
Result<SigningPublicKey> parse_signing_public_key(ByteView pem);

// The private half. Its bytes leave it in no way.
class SigningPrivateKey {
 public:
  const SigningPublicKey& public_key() const { return public_; }
  DsseSignature sign(ByteView payload) const;

 private:
  friend Result<SigningPrivateKey> parse_signing_private_key(ByteView);
  explicit SigningPrivateKey(SigningPublicKey key) : public_(std::move(key)) {}

  SigningPublicKey public_;  // whose OpenSSL key has both halves
};

// Reads one PEM block "PRIVATE KEY" or "EC PRIVATE KEY" without a passphrase. Fails as
// parse_signing_public_key().
Result<SigningPrivateKey> parse_signing_private_key(ByteView pem);

// The ids of those of `keys` that have signed the envelope, ascending, each once: two signatures by one
// key are one vote, under whatever key ids. Pure.
std::vector<std::string> signers_of(const DsseEnvelope& envelope,
                                    std::span<const SigningPublicKey> keys);

}  // namespace assay
