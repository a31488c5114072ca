#include "core/enrolment/ek_public.h"

#include "core/tpm_public.h"
#include "core/tpm_types.h"

namespace assay {
namespace {

constexpr PublicFaults kFaults = {FaultId::kEkMalformed, FaultId::kEkUnsupported};

constexpr TPMA_OBJECT kRequired = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT |
                                  TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                  TPMA_OBJECT_SENSITIVEDATAORIGIN;

Result<HashAlg> name_algorithm(const TPMT_PUBLIC& area) {
  const auto alg = hash_from_tpm(area.nameAlg);
  if (!alg || *alg == HashAlg::kSha1) {
    return fail(FaultId::kEkUnsupported, "name algorithm is not SHA-256, SHA-384 or SHA-512");
  }
  return *alg;
}

Result<std::uint16_t> aes_bits(const TPMT_PUBLIC& area) {
  const TPMT_SYM_DEF_OBJECT& cipher = area.type == TPM2_ALG_RSA
                                          ? area.parameters.rsaDetail.symmetric
                                          : area.parameters.eccDetail.symmetric;
  if (cipher.algorithm != TPM2_ALG_AES || cipher.mode.aes != TPM2_ALG_CFB) {
    return fail(FaultId::kEkUnsupported, "symmetric algorithm is not AES-CFB");
  }
  const std::uint16_t bits = cipher.keyBits.aes;
  if (bits != 128 && bits != 192 && bits != 256) {
    return fail(FaultId::kEkUnsupported, "AES key of " + std::to_string(bits) + " bits");
  }
  return bits;
}

Status check_attributes(TPMA_OBJECT attributes) {
  if ((attributes & kRequired) != kRequired) {
    return fail(FaultId::kEkAttributes,
                "key is not restricted, decrypt, fixedTPM, fixedParent and sensitiveDataOrigin");
  }
  if ((attributes & TPMA_OBJECT_SIGN_ENCRYPT) != 0) {
    return fail(FaultId::kEkAttributes, "key may sign");
  }
  return {};
}

}  // namespace

Result<EkPublic> parse_ek_public(ByteView bytes) {
  ASSAY_TRY(const TPMT_PUBLIC area, unmarshal_public(bytes, kFaults));
  ASSAY_TRY(openssl::EvpPkey key, key_from_public(area, kFaults));
  ASSAY_TRY(const HashAlg name_alg, name_algorithm(area));
  ASSAY_TRY(const std::uint16_t symmetric_bits, aes_bits(area));
  ASSAY_OK(check_attributes(area.objectAttributes));
  ASSAY_TRY(const Digest id, spki_digest(key.get(), kFaults));
  EkPublic out(std::make_shared<const EvpKey>(std::move(key)), Bytes(bytes.begin(), bytes.end()),
               id);
  out.is_rsa_ = area.type == TPM2_ALG_RSA;
  out.name_alg_ = name_alg;
  out.symmetric_bits_ = symmetric_bits;
  return out;
}

}  // namespace assay
