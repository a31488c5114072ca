#include "agent/tpm/ek.h"

#include <algorithm>
#include <array>

#include "agent/der.h"
#include "agent/tpm/nv.h"

namespace assay::agent {
namespace {

// TCG PC Client Platform TPM Profile, 2.2.1.4 and 2.2.1.5 of the EK Credential Profile 2.5.
constexpr std::uint32_t kFirstChainIndex = 0x01c00100;
constexpr std::uint32_t kLastChainIndex = 0x01c001ff;
constexpr std::size_t kMaxChainCertificates = 16;

enum class Range : std::uint8_t { kLow, kHigh };

// A template of the EK Credential Profile 2.5, annex B: L-1, L-2, H-1 to H-7.
struct EkTemplate {
  EkChoice choice;
  Range range;
  std::uint32_t certificate_index;
  TPM2_ALG_ID type;
  std::uint16_t size;  // bits of RSA, or the curve
  TPM2_ALG_ID name_alg;
  std::uint16_t aes_bits;
};

constexpr EkTemplate kTemplates[] = {
    {EkChoice::kRsa2048Low, Range::kLow, 0x01c00002, TPM2_ALG_RSA, 2048, TPM2_ALG_SHA256, 128},
    {EkChoice::kEccP256Low, Range::kLow, 0x01c0000a, TPM2_ALG_ECC, TPM2_ECC_NIST_P256,
     TPM2_ALG_SHA256, 128},
    {EkChoice::kRsa2048, Range::kHigh, 0x01c00012, TPM2_ALG_RSA, 2048, TPM2_ALG_SHA256, 128},
    {EkChoice::kEccP256, Range::kHigh, 0x01c00014, TPM2_ALG_ECC, TPM2_ECC_NIST_P256,
     TPM2_ALG_SHA256, 128},
    {EkChoice::kEccP384, Range::kHigh, 0x01c00016, TPM2_ALG_ECC, TPM2_ECC_NIST_P384,
     TPM2_ALG_SHA384, 256},
    {EkChoice::kEccP521, Range::kHigh, 0x01c00018, TPM2_ALG_ECC, TPM2_ECC_NIST_P521,
     TPM2_ALG_SHA512, 256},
    {EkChoice::kRsa3072, Range::kHigh, 0x01c0001c, TPM2_ALG_RSA, 3072, TPM2_ALG_SHA384, 256},
    {EkChoice::kRsa4096, Range::kHigh, 0x01c0001e, TPM2_ALG_RSA, 4096, TPM2_ALG_SHA384, 256},
};

// Of the low range, a TPM may keep a template of its own, and a nonce that goes into it.
constexpr std::uint32_t nonce_index(const EkTemplate& kind) {
  return kind.certificate_index + 1;
}
constexpr std::uint32_t template_index(const EkTemplate& kind) {
  return kind.certificate_index + 2;
}

// PolicyA: TPM2_PolicySecret(TPM_RH_ENDORSEMENT). PolicyB: that, or TPM2_PolicyAuthorizeNV of an
// index that the TPM's owner may define. EK Credential Profile 2.5, B.6.
constexpr std::string_view kPolicyA =
    "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
constexpr std::string_view kPolicyB256 =
    "ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0";
constexpr std::string_view kPolicyB384 =
    "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419ca"
    "cb47ba09699646150f9fc000f3f80e12";
constexpr std::string_view kPolicyB512 =
    "b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a4"
    "29c41a6b269571d57edb25fbdb1838425608b413cd616a5f6db5b6071af99bea";

std::string_view policy_of(const EkTemplate& kind) {
  if (kind.range == Range::kLow) return kPolicyA;
  if (kind.name_alg == TPM2_ALG_SHA256) return kPolicyB256;
  return kind.name_alg == TPM2_ALG_SHA384 ? kPolicyB384 : kPolicyB512;
}

TPM2B_PUBLIC default_area(const EkTemplate& kind) {
  TPM2B_PUBLIC out = {};
  TPMT_PUBLIC& area = out.publicArea;
  area.type = kind.type;
  area.nameAlg = kind.name_alg;
  area.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                          TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_ADMINWITHPOLICY |
                          TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
  if (kind.range == Range::kHigh) area.objectAttributes |= TPMA_OBJECT_USERWITHAUTH;
  const Bytes policy = *from_hex(policy_of(kind));
  area.authPolicy.size = static_cast<std::uint16_t>(policy.size());
  std::ranges::copy(policy, area.authPolicy.buffer);
  TPMT_SYM_DEF_OBJECT cipher = {};
  cipher.algorithm = TPM2_ALG_AES;
  cipher.keyBits.aes = kind.aes_bits;
  cipher.mode.aes = TPM2_ALG_CFB;
  // A key's seed is hashed with all of the area: the low range has zeros where the high has nothing.
  if (kind.type == TPM2_ALG_RSA) {
    area.parameters.rsaDetail.symmetric = cipher;
    area.parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
    area.parameters.rsaDetail.keyBits = kind.size;
    if (kind.range == Range::kLow) area.unique.rsa.size = 256;
  } else {
    area.parameters.eccDetail.symmetric = cipher;
    area.parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
    area.parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
    area.parameters.eccDetail.curveID = kind.size;
    if (kind.range == Range::kLow) area.unique.ecc.x.size = area.unique.ecc.y.size = 32;
  }
  return out;
}

void put_nonce(TPMT_PUBLIC& area, ByteView nonce) {
  if (area.type == TPM2_ALG_RSA && nonce.size() <= sizeof area.unique.rsa.buffer) {
    std::ranges::copy(nonce, area.unique.rsa.buffer);
  } else if (area.type == TPM2_ALG_ECC && nonce.size() <= sizeof area.unique.ecc.x.buffer) {
    std::ranges::copy(nonce, area.unique.ecc.x.buffer);
  }
}

// What the key of `kind` is made from in this TPM.
Result<TPM2B_PUBLIC> area_of(const Connection& tpm, const EkTemplate& kind) {
  TPM2B_PUBLIC out = default_area(kind);
  if (kind.range == Range::kHigh) return out;
  ASSAY_TRY(const auto own, read_nv(tpm, template_index(kind)));
  if (own) {
    std::size_t offset = 0;
    TPMT_PUBLIC area = {};
    if (Tss2_MU_TPMT_PUBLIC_Unmarshal(own->data(), own->size(), &offset, &area) ==
        TSS2_RC_SUCCESS) {
      out.publicArea = area;
    }
  }
  ASSAY_TRY(const auto nonce, read_nv(tpm, nonce_index(kind)));
  if (nonce) put_nonce(out.publicArea, *nonce);
  return out;
}

struct Ek {
  Object object;
  Bytes encoded;  // TPM2B_PUBLIC
};

Result<Ek> make_ek(const Connection& tpm, const EkTemplate& kind) {
  ASSAY_TRY(const TPM2B_PUBLIC area, area_of(tpm, kind));
  const TPM2B_SENSITIVE_CREATE sensitive = {};
  const TPM2B_DATA outside = {};
  const TPML_PCR_SELECTION creation_pcrs = {};
  ESYS_TR handle = ESYS_TR_NONE;
  TPM2B_PUBLIC* made = nullptr;
  const TSS2_RC rc = Esys_CreatePrimary(tpm.get(), ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
                                        ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &area, &outside,
                                        &creation_pcrs, &handle, &made, nullptr, nullptr, nullptr);
  const Owned<TPM2B_PUBLIC> owner(made);
  ASSAY_OK(check(rc, "TPM2_CreatePrimary of the endorsement key"));
  Object object(tpm, handle, Object::Kind::kTransient);
  ASSAY_TRY(Bytes encoded, marshalled(*made, Tss2_MU_TPM2B_PUBLIC_Marshal));
  return Ek{.object = std::move(object), .encoded = std::move(encoded)};
}

struct Chosen {
  const EkTemplate& kind;
  Bytes certificate;  // empty: there is none
};

// The first key that has a certificate, or the RSA key that every TPM can make.
Result<Chosen> choose(const Connection& tpm, EkChoice choice) {
  for (const EkTemplate& kind : kTemplates) {
    if (choice != EkChoice::kAuto && choice != kind.choice) continue;
    ASSAY_TRY(auto certificate, read_nv(tpm, kind.certificate_index));
    if (certificate || choice == kind.choice) {
      return Chosen{.kind = kind, .certificate = std::move(certificate).value_or(Bytes())};
    }
  }
  return Chosen{.kind = kTemplates[0], .certificate = {}};
}

// Certificates may go over from one index into the next: they are cut anew.
Result<std::vector<Bytes>> read_chain(const Connection& tpm) {
  ASSAY_TRY(const auto indices, list_nv(tpm, kFirstChainIndex, kLastChainIndex));
  Bytes all;
  for (const std::uint32_t index : indices) {
    ASSAY_TRY(const auto part, read_nv(tpm, index));
    if (part) all.insert(all.end(), part->begin(), part->end());
  }
  return split_der(all, {.max_count = kMaxChainCertificates, .max_bytes = kMaxNvBytes});
}

// A session in which TPM2_PolicySecret has shown the endorsement hierarchy's (empty) password.
Result<Object> endorsement_session(const Connection& tpm) {
  const TPMT_SYM_DEF none = {.algorithm = TPM2_ALG_NULL, .keyBits = {}, .mode = {}};
  ESYS_TR handle = ESYS_TR_NONE;
  ASSAY_OK(check(
      Esys_StartAuthSession(tpm.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                            ESYS_TR_NONE, nullptr, TPM2_SE_POLICY, &none, TPM2_ALG_SHA256, &handle),
      "TPM2_StartAuthSession"));
  Object session(tpm, handle, Object::Kind::kTransient);
  const TPM2B_NONCE no_nonce = {};
  const TPM2B_DIGEST no_command = {};
  const TPM2B_NONCE no_reference = {};
  ASSAY_OK(check(Esys_PolicySecret(tpm.get(), ESYS_TR_RH_ENDORSEMENT, session.get(),
                                   ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &no_nonce,
                                   &no_command, &no_reference, 0, nullptr, nullptr),
                 "TPM2_PolicySecret of the endorsement hierarchy"));
  return session;
}

template <typename T>
Status unmarshal(ByteView bytes, T& out,
                 TSS2_RC (*parse)(const std::uint8_t*, std::size_t, std::size_t*, T*)) {
  std::size_t offset = 0;
  if (parse(bytes.data(), bytes.size(), &offset, &out) == TSS2_RC_SUCCESS &&
      offset == bytes.size()) {
    return {};
  }
  return fail(FaultId::kRequestInvalid, "the verifier's credential cannot be read");
}

}  // namespace

Result<TpmIdentity> read_identity(const Connection& tpm, EkChoice choice) {
  ASSAY_TRY(Chosen chosen, choose(tpm, choice));
  ASSAY_TRY(Ek ek, make_ek(tpm, chosen.kind));
  ASSAY_TRY(std::vector<Bytes> chain, read_chain(tpm));
  return TpmIdentity{.ek_public = std::move(ek.encoded),
                     .ek_certificate = std::move(chosen.certificate),
                     .ek_chain = std::move(chain)};
}

Result<Bytes> activate_credential(const Connection& tpm, const Object& ak, EkChoice choice,
                                  const Credential& credential) {
  TPM2B_ID_OBJECT id_object = {};
  TPM2B_ENCRYPTED_SECRET secret = {};
  ASSAY_OK(unmarshal(credential.id_object, id_object, Tss2_MU_TPM2B_ID_OBJECT_Unmarshal));
  ASSAY_OK(
      unmarshal(credential.encrypted_secret, secret, Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal));
  ASSAY_TRY(const Chosen chosen, choose(tpm, choice));
  ASSAY_TRY(const Ek ek, make_ek(tpm, chosen.kind));
  std::optional<Object> session;
  if (chosen.kind.range == Range::kLow) {
    ASSAY_TRY(Object opened, endorsement_session(tpm));
    session.emplace(std::move(opened));
  }
  TPM2B_DIGEST* out = nullptr;
  const TSS2_RC rc = Esys_ActivateCredential(tpm.get(), ak.get(), ek.object.get(), ESYS_TR_PASSWORD,
                                             session ? session->get() : ESYS_TR_PASSWORD,
                                             ESYS_TR_NONE, &id_object, &secret, &out);
  const Owned<TPM2B_DIGEST> owner(out);
  ASSAY_OK(check(rc, "TPM2_ActivateCredential"));
  return Bytes(out->buffer, out->buffer + out->size);
}

}  // namespace assay::agent
