#include "core/signature/ima_signature.h"

#include <algorithm>
#include <array>
#include <utility>

namespace assay {
namespace {

constexpr std::size_t kXattrHeaderBytes = 9;  // type, version, hash, key id, length
constexpr std::string_view kModsigTemplate = "ima-modsig";
constexpr std::string_view kImaXattr = "security.ima";

// Linux include/uapi/linux/hash_info.h, enum hash_algo.
std::optional<HashAlg> hash_of_kernel(std::uint8_t number) {
  switch (number) {
    case 2:
      return HashAlg::kSha1;
    case 4:
      return HashAlg::kSha256;
    case 5:
      return HashAlg::kSha384;
    case 6:
      return HashAlg::kSha512;
    default:
      return std::nullopt;
  }
}

std::uint8_t kernel_number(HashAlg alg) {
  switch (alg) {
    case HashAlg::kSha1:
      return 2;
    case HashAlg::kSha256:
      return 4;
    case HashAlg::kSha384:
      return 5;
    case HashAlg::kSha512:
      return 6;
  }
  return 0;
}

std::optional<XattrType> signature_type(std::uint8_t byte) {
  const auto type = static_cast<XattrType>(byte);
  switch (type) {
    case XattrType::kSignature:
    case XattrType::kEvmPortable:
    case XattrType::kVeritySignature:
      return type;
    case XattrType::kDigest:
      break;
  }
  return std::nullopt;
}

// struct ima_file_id: what a version 3 signature is over, so that a digest of one kind is never taken
// for one of another.
Digest file_id_digest(XattrType type, const Digest& digest) {
  const std::array head = {static_cast<std::uint8_t>(type), kernel_number(digest.alg())};
  return Hasher(digest.alg())({ByteView(head), digest.bytes()});
}

std::optional<SignatureClaim> claim_in_sig(const ImaEntry& entry, ByteView field) {
  const auto signature = parse_xattr_signature(field);
  const Digest& file = *entry.file_digest;
  if (!signature || signature->hash != file.alg()) return std::nullopt;
  const bool verity = entry.digest_kind == FileDigestKind::kVerity;
  const XattrType wanted = verity ? XattrType::kVeritySignature : XattrType::kSignature;
  if (signature->type != wanted) return std::nullopt;
  // Version 2 cannot say that a digest is fs-verity's.
  if (signature->version == 2 && verity) return std::nullopt;
  std::optional<SignatureClaim> out(std::in_place);
  out->signed_digest = file;
  out->key_id = signature->key_id;
  out->proof = field;
  if (signature->version == 3) {
    out->kind = SignatureKind::kFileId;
    out->signed_digest = file_id_digest(wanted, file);
  }
  return out;
}

// The value of one extended attribute among those that an EVM signature covers: names with '|' between
// and a NUL at the end, the size of each value, and the values without anything between.
std::optional<ByteView> xattr_value(const ImaEntry& entry, std::string_view wanted) {
  const auto names = entry.find(ImaField::kXattrNames);
  const auto sizes = entry.find(ImaField::kXattrLengths);
  const auto values = entry.find(ImaField::kXattrValues);
  if (!names || !sizes || !values || names->empty() || names->back() != 0) return std::nullopt;
  std::string_view left = as_text(names->first(names->size() - 1));
  ByteReader size_reader(*sizes);
  ByteReader value_reader(*values);
  std::optional<ByteView> out;
  for (bool more = true; more;) {
    const std::size_t bar = left.find('|');
    const ByteView value = value_reader.take(size_reader.u32(entry.order));
    if (left.substr(0, bar) == wanted) {
      if (out) return std::nullopt;
      out = value;
    }
    more = bar != std::string_view::npos;
    if (more) left.remove_prefix(bar + 1);
  }
  const bool exact =
      size_reader.ok() && size_reader.at_end() && value_reader.ok() && value_reader.at_end();
  return exact ? out : std::nullopt;
}

// Whether `value`, a `security.ima`, says that the file has this digest.
bool says_digest(ByteView value, const Digest& digest) {
  ByteReader reader(value);
  return reader.u8() == static_cast<std::uint8_t>(XattrType::kDigest) &&
         reader.u8() == kernel_number(digest.alg()) &&
         std::ranges::equal(reader.rest(), digest.bytes());
}

// What hmac_add_misc() adds of the inode to a portable signature: struct h_misc of a 64-bit kernel,
// in which inode number and generation are zero. Owner, group and mode have the node's byte order.
std::optional<std::array<std::uint8_t, 24>> inode_facts(const ImaEntry& entry) {
  constexpr std::size_t kOwnerAt = 12;
  std::array<std::uint8_t, 24> out{};
  auto at = out.begin() + kOwnerAt;
  for (const auto& [field, size] :
       {std::pair{ImaField::kIuid, std::size_t{4}}, std::pair{ImaField::kIgid, std::size_t{4}},
        std::pair{ImaField::kImode, std::size_t{2}}}) {
    const auto value = entry.find(field);
    if (!value || value->size() != size) return std::nullopt;
    at = std::ranges::copy(*value, at).out;
  }
  return out;
}

std::optional<SignatureClaim> claim_in_evmsig(const ImaEntry& entry, ByteView field) {
  const auto signature = parse_xattr_signature(field);
  if (!signature || signature->type != XattrType::kEvmPortable || signature->version != 2 ||
      signature->hash == HashAlg::kSha1) {
    return std::nullopt;
  }
  const auto ima = xattr_value(entry, kImaXattr);
  const auto inode = inode_facts(entry);
  if (!ima || !inode || entry.digest_kind != FileDigestKind::kFile ||
      !says_digest(*ima, *entry.file_digest)) {
    return std::nullopt;
  }
  const ByteView values = *entry.find(ImaField::kXattrValues);
  return SignatureClaim{.kind = SignatureKind::kEvm,
                        .signed_digest = Hasher(signature->hash)({values, ByteView(*inode)}),
                        .key_id = signature->key_id,
                        .proof = field};
}

std::optional<SignatureClaim> claim_in_modsig(const ImaEntry& entry, ByteView field) {
  const auto content = entry.find(ImaField::kDModsig);
  if (entry.template_name != kModsigTemplate || !content || field.empty()) return std::nullopt;
  const auto digest = parse_digest_field(*content);
  if (!digest || digest->alg() == HashAlg::kSha1) return std::nullopt;
  return SignatureClaim{.kind = SignatureKind::kAppended, .signed_digest = *digest, .proof = field};
}

bool may_be_signed(const ImaEntry& entry) {
  if (!entry.file_digest || entry.file_digest->alg() == HashAlg::kSha1) return false;
  const auto buffer = entry.find(ImaField::kBuf);
  return !buffer || buffer->empty();
}

}  // namespace

std::optional<XattrSignature> parse_xattr_signature(ByteView value) {
  if (value.size() <= kXattrHeaderBytes) return std::nullopt;
  ByteReader reader(value);
  const auto type = signature_type(reader.u8());
  const std::uint8_t version = reader.u8();
  const auto hash = hash_of_kernel(reader.u8());
  const std::uint32_t key_id = reader.u32(ByteOrder::kBig);
  const std::size_t size = reader.u16(ByteOrder::kBig);
  if (!type || !hash || (version != 2 && version != 3) || size != reader.rest().size()) {
    return std::nullopt;
  }
  return XattrSignature{.type = *type,
                        .version = version,
                        .hash = *hash,
                        .key_id = key_id,
                        .signature = reader.rest()};
}

std::optional<SignatureClaim> signature_claim(const ImaEntry& entry, const ImaFieldValue& field) {
  const auto claim_in = [&]() -> decltype(&claim_in_sig) {
    switch (field.field) {
      case ImaField::kSig:
        return claim_in_sig;
      case ImaField::kEvmSig:
        return claim_in_evmsig;
      case ImaField::kModsig:
        return claim_in_modsig;
      default:
        return nullptr;
    }
  }();
  if (claim_in == nullptr || field.value.empty() || !may_be_signed(entry)) return std::nullopt;
  return claim_in(entry, field.value);
}

bool vouches(const FileSigner& signer, const SignatureClaim& claim) {
  return claim.kind == SignatureKind::kAppended
             ? signer.verify_detached(claim.signed_digest, claim.proof)
             : signer.verify(claim.signed_digest, claim.proof.subspan(kXattrHeaderBytes));
}

}  // namespace assay
