#include "core/ak_public.h"

#include <openssl/pem.h>

#include "core/tpm_public.h"
#include "core/tpm_types.h"

namespace assay {
namespace {

using openssl::EvpPkey;

constexpr std::size_t kMaxAkBytes = 4096;
constexpr PublicFaults kFaults = {FaultId::kAkMalformed, FaultId::kAkUnsupported};

constexpr TPMA_OBJECT kRequired = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT |
                                  TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                  TPMA_OBJECT_SENSITIVEDATAORIGIN;

Result<EvpPkey> key_from_pem(ByteView bytes) {
  const openssl::Bio bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  EvpPkey key(bio == nullptr
                  ? nullptr
                  : PEM_read_bio_PUBKEY(bio.get(), nullptr, openssl::no_passphrase, nullptr));
  if (key == nullptr) return fail(FaultId::kAkMalformed, "not a PEM public key");
  char* rest = nullptr;
  const long left = BIO_get_mem_data(bio.get(), &rest);
  for (long i = 0; i < left; ++i) {
    if (rest[i] != '\n' && rest[i] != '\r') {
      return fail(FaultId::kAkMalformed, "bytes after the PEM public key");
    }
  }
  return key;
}

Status check_attributes(TPMA_OBJECT attributes) {
  if ((attributes & kRequired) != kRequired) {
    return fail(FaultId::kAkAttributes,
                "key is not restricted, sign, fixedTPM, fixedParent and sensitiveDataOrigin");
  }
  if ((attributes & TPMA_OBJECT_DECRYPT) != 0)
    return fail(FaultId::kAkAttributes, "key may decrypt");
  return {};
}

struct SchemeAndHash {
  SignatureScheme scheme;
  HashAlg hash;
};

Result<SchemeAndHash> signing_scheme(const TPMT_PUBLIC& area) {
  const bool rsa = area.type == TPM2_ALG_RSA;
  const auto scheme = scheme_from_tpm(rsa ? area.parameters.rsaDetail.scheme.scheme
                                          : area.parameters.eccDetail.scheme.scheme);
  if (!scheme || rsa == (*scheme == SignatureScheme::kEcdsa)) {
    return fail(FaultId::kAkUnsupported, "scheme is not RSASSA, RSAPSS or ECDSA");
  }
  // The hash is the first member of every TPMU_ASYM_SCHEME that scheme_from_tpm() knows.
  const auto hash = hash_from_tpm(rsa ? area.parameters.rsaDetail.scheme.details.anySig.hashAlg
                                      : area.parameters.eccDetail.scheme.details.anySig.hashAlg);
  if (!hash) return fail(FaultId::kAkUnsupported, "scheme's hash is not SHA-1 or SHA-2");
  return SchemeAndHash{*scheme, *hash};
}

// TPM 2.0 Library, Part 1, 16 (names). SHA-1 would let one name stand for two keys.
Bytes name_of(TPM2_ALG_ID name_alg, ByteView area) {
  const auto alg = hash_from_tpm(name_alg);
  if (!alg || *alg == HashAlg::kSha1) return {};
  const Digest digest = hash(*alg, area);
  Bytes out = {static_cast<std::uint8_t>(name_alg >> 8), static_cast<std::uint8_t>(name_alg)};
  out.insert(out.end(), digest.bytes().begin(), digest.bytes().end());
  return out;
}

}  // namespace

Result<AkPublic> parse_ak_public(ByteView bytes) {
  if (bytes.size() > kMaxAkBytes) return fail(FaultId::kAkMalformed, "key over 4 KiB");
  std::optional<TPMT_PUBLIC> area;
  std::optional<SchemeAndHash> scheme;
  EvpPkey key;
  if (as_text(bytes).starts_with("-----BEGIN")) {
    ASSAY_TRY(key, key_from_pem(bytes));
    ASSAY_OK(check_key(key.get(), kFaults));
  } else {
    ASSAY_TRY(area, unmarshal_public(bytes, kFaults));
    ASSAY_TRY(key, key_from_public(*area, kFaults));
    ASSAY_TRY(scheme, signing_scheme(*area));
    ASSAY_OK(check_attributes(area->objectAttributes));
  }
  const bool rsa = EVP_PKEY_is_a(key.get(), "RSA") == 1;
  ASSAY_TRY(const Digest fingerprint, spki_digest(key.get(), kFaults));
  AkPublic out(std::make_shared<const EvpKey>(std::move(key)), Bytes(bytes.begin(), bytes.end()),
               fingerprint);
  out.is_rsa_ = rsa;
  if (area) {
    out.scheme_ = scheme->scheme;
    out.scheme_hash_ = scheme->hash;
    out.name_ = name_of(area->nameAlg, public_area(bytes));
    out.no_da_ = (area->objectAttributes & TPMA_OBJECT_NODA) != 0;
  }
  return out;
}

Status check_enrollable(const AkPublic& ak) {
  if (!ak.tpm_bound()) {
    return fail(FaultId::kAkMalformed,
                "an attestation key that a TPM proves has to be a TPM2B_PUBLIC");
  }
  if (ak.name().empty()) {
    return fail(FaultId::kAkUnsupported, "name algorithm is not SHA-256, SHA-384 or SHA-512");
  }
  if (!ak.no_da()) {
    return fail(FaultId::kAkLockout, "attestation key without noDA");
  }
  return {};
}

}  // namespace assay
