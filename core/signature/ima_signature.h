// The signatures that a file carries, as entries of the measurement log show them.
//
// Source: Linux security/integrity/integrity.h (struct signature_v2_hdr, struct ima_file_id),
// digsig_asymmetric.c, ima/ima_appraise.c (calc_file_id_hash), evm/evm_crypto.c (hmac_add_misc);
// docs/ima-log.md has the tables.
#pragma once

#include <cstdint>
#include <optional>

#include "core/digest.h"
#include "core/ima_log.h"
#include "core/signature/file_signer.h"

namespace assay {

// First byte of a `security.ima` or `security.evm` value, enum evm_ima_xattr_type.
enum class XattrType : std::uint8_t {
  kDigest = 0x04,          // IMA_XATTR_DIGEST_NG
  kSignature = 0x03,       // EVM_IMA_XATTR_DIGSIG
  kEvmPortable = 0x05,     // EVM_XATTR_PORTABLE_DIGSIG
  kVeritySignature = 0x06  // IMA_VERITY_DIGSIG
};

// A signature in an extended attribute: a header of nine bytes and what the key made.
struct XattrSignature {
  XattrType type = XattrType::kSignature;
  std::uint8_t version = 2;  // 2 or 3
  HashAlg hash = HashAlg::kSha256;
  std::uint32_t key_id = 0;
  ByteView signature;  // borrowed
};

// Reads `value`, untrusted. Nothing for what is no signature of version 2 or 3, is of another hash than
// Assay's, or has bytes missing or left over. Total and pure.
std::optional<XattrSignature> parse_xattr_signature(ByteView value);

// What a signature in an entry was made over.
enum class SignatureKind : std::uint8_t {
  kFileDigest,  // `sig` version 2: the file's digest
  kFileId,      // `sig` version 3: kind, algorithm and digest; of files with fs-verity too
  kEvm,         // `evmsig`: extended attributes with the file's digest in them, owner and mode
  kAppended,    // `modsig`: the file without it
};

// What somebody is said to have signed. Once the proof verifies, it vouches for entry.file_digest.
struct SignatureClaim {
  SignatureKind kind = SignatureKind::kFileDigest;
  Digest signed_digest = Digest::zero(HashAlg::kSha256);
  std::uint32_t key_id = 0;  // of an appended one: 0, since it names a certificate
  ByteView proof;            // the field, borrowed from the entry
};

// Whether a field of this kind can claim anything.
constexpr bool is_signature_field(ImaField field) {
  return field == ImaField::kSig || field == ImaField::kEvmSig || field == ImaField::kModsig;
}

// What `field` of `entry` claims: nothing, unless it is `sig`, `evmsig` or `modsig`. Only entries whose file digest is known
// claim anything; those of buffers never do. Nor do signatures
//   * by SHA-1, for which two files with one digest can be made,
//   * of a digest of another algorithm or kind (file, fs-verity) than the entry's,
//   * by EVM whose `security.ima` is not the entry's digest, which it is there to sign, and
//   * appended ones in an entry whose template is not "ima-modsig". The template's name is not proven:
//     in other templates a field that root chooses could be called `d-modsig`.
//
// Total and pure; no allocation.
std::optional<SignatureClaim> signature_claim(const ImaEntry& entry, const ImaFieldValue& field);

// Whether `signer` made the proof. Total and pure; costs a signature verification.
bool vouches(const FileSigner& signer, const SignatureClaim& claim);

}  // namespace assay
