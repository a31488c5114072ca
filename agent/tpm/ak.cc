#include "agent/tpm/ak.h"

#include <algorithm>

#include "core/ak_public.h"

namespace assay::agent {
namespace {

// noDA: a power cut that catches the TPM at work counts as a failed authorisation of keys without
// it, and a few of them lock the key (TPM 2.0 Library, Part 1, 19.8).
constexpr TPMA_OBJECT kAkAttributes =
    TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT;

void set_rsa(TPMT_PUBLIC& area, TPM2_ALG_ID scheme, std::uint16_t bits) {
  area.type = TPM2_ALG_RSA;
  area.parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
  area.parameters.rsaDetail.scheme.scheme = scheme;
  area.parameters.rsaDetail.scheme.details.anySig.hashAlg = TPM2_ALG_SHA256;
  area.parameters.rsaDetail.keyBits = bits;
}

void set_ecc(TPMT_PUBLIC& area, TPM2_ECC_CURVE curve, TPM2_ALG_ID hash) {
  area.type = TPM2_ALG_ECC;
  area.parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
  area.parameters.eccDetail.scheme.scheme = TPM2_ALG_ECDSA;
  area.parameters.eccDetail.scheme.details.ecdsa.hashAlg = hash;
  area.parameters.eccDetail.curveID = curve;
  area.parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
}

TPM2B_PUBLIC ak_template(AkAlgorithm algorithm) {
  TPM2B_PUBLIC out = {};
  TPMT_PUBLIC& area = out.publicArea;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = kAkAttributes;
  switch (algorithm) {
    case AkAlgorithm::kEccP256:
      set_ecc(area, TPM2_ECC_NIST_P256, TPM2_ALG_SHA256);
      break;
    case AkAlgorithm::kEccP384:
      set_ecc(area, TPM2_ECC_NIST_P384, TPM2_ALG_SHA384);
      break;
    case AkAlgorithm::kRsa2048:
      set_rsa(area, TPM2_ALG_RSASSA, 2048);
      break;
    case AkAlgorithm::kRsa2048Pss:
      set_rsa(area, TPM2_ALG_RSAPSS, 2048);
      break;
    case AkAlgorithm::kRsa3072:
      set_rsa(area, TPM2_ALG_RSASSA, 3072);
      break;
  }
  return out;
}

// The public area without what differs between two keys of one kind.
Result<Bytes> kind_of(TPMT_PUBLIC area) {
  area.unique = {};
  return marshalled(area, Tss2_MU_TPMT_PUBLIC_Marshal);
}

// A primary key's qualified name is its hierarchy's handle and its own name, hashed (TPM 2.0
// Library, Part 1, 26.5).
bool is_endorsement_primary(const TPM2B_NAME& name, const TPM2B_NAME& qualified) {
  static constexpr std::uint8_t kHierarchy[] = {0x40, 0x00, 0x00, 0x0b};  // TPM_RH_ENDORSEMENT
  static constexpr std::uint8_t kSha256[] = {0x00, 0x0b};                 // TPM_ALG_SHA256
  const Digest digest = Hasher(HashAlg::kSha256)({kHierarchy, ByteView(name.name, name.size)});
  Bytes expected(std::begin(kSha256), std::end(kSha256));
  expected.insert(expected.end(), digest.bytes().begin(), digest.bytes().end());
  return std::ranges::equal(expected, ByteView(qualified.name, qualified.size));
}

// The public part of `ak`, which has to be the kind of key that `settings` ask for.
Result<Bytes> checked_public(const Connection& tpm, const Object& ak, const AkSettings& settings) {
  TPM2B_PUBLIC* area = nullptr;
  TPM2B_NAME* name = nullptr;
  TPM2B_NAME* qualified = nullptr;
  const TSS2_RC rc = Esys_ReadPublic(tpm.get(), ak.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                     &area, &name, &qualified);
  const Owned<TPM2B_PUBLIC> area_owner(area);
  const Owned<TPM2B_NAME> name_owner(name);
  const Owned<TPM2B_NAME> qualified_owner(qualified);
  ASSAY_OK(check(rc, "TPM2_ReadPublic"));
  ASSAY_TRY(const Bytes found, kind_of(area->publicArea));
  ASSAY_TRY(const Bytes wanted, kind_of(ak_template(settings.algorithm).publicArea));
  ASSAY_TRY(Bytes out, marshalled(*area, Tss2_MU_TPM2B_PUBLIC_Marshal));
  if (found != wanted || !is_endorsement_primary(*name, *qualified) || !parse_ak_public(out)) {
    return fail(FaultId::kAlreadyExists,
                "the TPM's object at " + hex(settings.handle) +
                    " is not an attestation key of ak.algorithm: set another ak.handle, or, if "
                    "nothing else needs that object, remove it (tpm2_evictcontrol -c " +
                    hex(settings.handle) + ")");
  }
  return out;
}

// Nothing when there is no object at `handle`.
Result<std::optional<Object>> load_persistent(const Connection& tpm, TPM2_HANDLE handle) {
  ESYS_TR object = ESYS_TR_NONE;
  const TSS2_RC rc =
      Esys_TR_FromTPMPublic(tpm.get(), handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &object);
  if (is_format_one(rc, TPM2_RC_HANDLE)) return std::nullopt;
  ASSAY_OK(check(rc, "TPM2_ReadPublic"));
  return Object(tpm, object, Object::Kind::kPersistent);
}

// Makes the key and keeps it at the handle. Another process may have put one there since we looked:
// whatever is there now is for the caller to load and check.
Status make_ak(const Connection& tpm, const AkSettings& settings) {
  const TPM2B_PUBLIC area = ak_template(settings.algorithm);
  const TPM2B_SENSITIVE_CREATE sensitive = {};
  const TPM2B_DATA outside = {};
  const TPML_PCR_SELECTION creation_pcrs = {};
  ESYS_TR handle = ESYS_TR_NONE;
  ASSAY_OK(check(Esys_CreatePrimary(tpm.get(), ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
                                    ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &area, &outside,
                                    &creation_pcrs, &handle, nullptr, nullptr, nullptr, nullptr),
                 "TPM2_CreatePrimary of the attestation key"));
  const Object transient(tpm, handle, Object::Kind::kTransient);
  ESYS_TR handle_at_rest = ESYS_TR_NONE;
  const TSS2_RC rc =
      Esys_EvictControl(tpm.get(), ESYS_TR_RH_OWNER, transient.get(), ESYS_TR_PASSWORD,
                        ESYS_TR_NONE, ESYS_TR_NONE, settings.handle, &handle_at_rest);
  if (rc == TPM2_RC_NV_DEFINED) return {};
  ASSAY_OK(check(rc, "TPM2_EvictControl of the attestation key"));
  const Object kept(tpm, handle_at_rest, Object::Kind::kPersistent);
  return {};
}

}  // namespace

Result<Ak> load_or_make_ak(const Connection& tpm, const AkSettings& settings) {
  ASSAY_TRY(std::optional<Object> object, load_persistent(tpm, settings.handle));
  if (!object) {
    ASSAY_OK(make_ak(tpm, settings));
    ASSAY_TRY(std::optional<Object> kept, load_persistent(tpm, settings.handle));
    if (!kept) {
      return fail(FaultId::kUnavailable,
                  "the TPM's object at " + hex(settings.handle) +
                      " was removed as soon as it was made: end what does it");
    }
    object.emplace(*std::move(kept));
  }
  ASSAY_TRY(Bytes encoded, checked_public(tpm, *object, settings));
  return Ak{.object = *std::move(object), .encoded = std::move(encoded)};
}

HashAlg signing_hash(AkAlgorithm algorithm) {
  return algorithm == AkAlgorithm::kEccP384 ? HashAlg::kSha384 : HashAlg::kSha256;
}

}  // namespace assay::agent
