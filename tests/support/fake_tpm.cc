#include "tests/support/fake_tpm.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <tss2/tss2_mu.h>

#include <algorithm>

namespace assay::testing {
namespace {

constexpr int kRsaBits = 2048;

TPM2_ALG_ID tpm_id(HashAlg alg) {
  switch (alg) {
    case HashAlg::kSha1:
      return TPM2_ALG_SHA1;
    case HashAlg::kSha256:
      return TPM2_ALG_SHA256;
    case HashAlg::kSha384:
      return TPM2_ALG_SHA384;
    case HashAlg::kSha512:
      return TPM2_ALG_SHA512;
  }
  return TPM2_ALG_NULL;
}

void set_coordinate(TPM2B_ECC_PARAMETER& out, EVP_PKEY* key, const char* name) {
  BIGNUM* value = nullptr;
  ASSAY_CHECK(EVP_PKEY_get_bn_param(key, name, &value) == 1);
  const openssl::Bignum owner(value);
  out.size = 32;
  ASSAY_CHECK(BN_bn2binpad(value, out.buffer, 32) == 32);
}

void set_ecc(TPMT_PUBLIC& area, EVP_PKEY* key) {
  area.type = TPM2_ALG_ECC;
  TPMS_ECC_PARMS& parameters = area.parameters.eccDetail;
  parameters.symmetric.algorithm = TPM2_ALG_NULL;
  parameters.scheme.scheme = TPM2_ALG_ECDSA;
  parameters.scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
  parameters.curveID = TPM2_ECC_NIST_P256;
  parameters.kdf.scheme = TPM2_ALG_NULL;
  set_coordinate(area.unique.ecc.x, key, OSSL_PKEY_PARAM_EC_PUB_X);
  set_coordinate(area.unique.ecc.y, key, OSSL_PKEY_PARAM_EC_PUB_Y);
}

void set_rsa(TPMT_PUBLIC& area, EVP_PKEY* key) {
  area.type = TPM2_ALG_RSA;
  TPMS_RSA_PARMS& parameters = area.parameters.rsaDetail;
  parameters.symmetric.algorithm = TPM2_ALG_NULL;
  parameters.scheme.scheme = TPM2_ALG_RSASSA;
  parameters.scheme.details.rsassa.hashAlg = TPM2_ALG_SHA256;
  parameters.keyBits = kRsaBits;
  BIGNUM* modulus = nullptr;
  ASSAY_CHECK(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) == 1);
  const openssl::Bignum owner(modulus);
  area.unique.rsa.size = kRsaBits / 8;
  ASSAY_CHECK(BN_bn2binpad(modulus, area.unique.rsa.buffer, kRsaBits / 8) == kRsaBits / 8);
}

void set_rsassa(TPMT_SIGNATURE& out, ByteView plain) {
  out.sigAlg = TPM2_ALG_RSASSA;
  out.signature.rsassa.hash = TPM2_ALG_SHA256;
  out.signature.rsassa.sig.size = static_cast<UINT16>(plain.size());
  std::ranges::copy(plain, out.signature.rsassa.sig.buffer);
}

void set_ecdsa(TPMT_SIGNATURE& out, ByteView der) {
  const std::uint8_t* cursor = der.data();
  const openssl::EcdsaSig pair(d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(der.size())));
  out.sigAlg = TPM2_ALG_ECDSA;
  TPMS_SIGNATURE_ECC& ecc = out.signature.ecdsa;
  ecc.hash = TPM2_ALG_SHA256;
  ecc.signatureR.size = ecc.signatureS.size = 32;
  BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), ecc.signatureR.buffer, 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), ecc.signatureS.buffer, 32);
}

// The selection of `pcrs` as the TPM writes it, one entry per bank, and the values it digests.
Bytes select(const PcrValues& pcrs, TPML_PCR_SELECTION& list) {
  Bytes all;
  for (const auto& [slot, value] : pcrs) {
    if (list.count == 0 || list.pcrSelections[list.count - 1].hash != tpm_id(slot.bank)) {
      list.pcrSelections[list.count++] = {
          .hash = tpm_id(slot.bank), .sizeofSelect = 3, .pcrSelect = {}};
    }
    std::uint8_t& bits = list.pcrSelections[list.count - 1].pcrSelect[slot.index.value() / 8];
    bits = static_cast<std::uint8_t>(bits | 1 << (slot.index.value() % 8));
    all.insert(all.end(), value.bytes().begin(), value.bytes().end());
  }
  return all;
}

}  // namespace

FakeTpm::FakeTpm(AkKind kind)
    : kind_(kind), key_(kind == AkKind::kP256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(kRsaBits)) {}

PcrValues FakeTpm::fresh_pcrs() {
  PcrValues out;
  for (const PcrSlot& slot : default_selection(HashAlg::kSha256)) {
    out.emplace(slot, Digest::zero(slot.bank));
  }
  return out;
}

Bytes FakeTpm::ak_public(const std::function<void(TPMT_PUBLIC&)>& tamper) const {
  TPM2B_PUBLIC out = {};
  TPMT_PUBLIC& area = out.publicArea;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_FIXEDTPM |
                          TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
                          TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA;
  kind_ == AkKind::kP256 ? set_ecc(area, key_.get()) : set_rsa(area, key_.get());
  if (tamper) tamper(area);
  Bytes bytes(sizeof out);
  std::size_t size = 0;
  ASSAY_CHECK(Tss2_MU_TPM2B_PUBLIC_Marshal(&out, bytes.data(), bytes.size(), &size) ==
              TSS2_RC_SUCCESS);
  bytes.resize(size);
  return bytes;
}

AkPublic FakeTpm::ak() const {
  return parse_ak_public(ak_public()).value();
}

Bytes FakeTpm::ak_pem() const {
  const openssl::Bio bio(BIO_new(BIO_s_mem()));
  ASSAY_CHECK(PEM_write_bio_PUBKEY(bio.get(), key_.get()) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return Bytes(text, text + size);
}

UntrustedQuote FakeTpm::quote(const Nonce& nonce,
                              const std::function<void(TPMS_ATTEST&)>& tamper) const {
  TPMS_ATTEST attest = {};
  attest.magic = TPM2_GENERATED_VALUE;
  attest.type = TPM2_ST_ATTEST_QUOTE;
  attest.extraData.size = static_cast<UINT16>(nonce.bytes().size());
  std::ranges::copy(nonce.bytes(), attest.extraData.buffer);
  attest.clockInfo.clock = clock.clock_ms;
  attest.clockInfo.resetCount = clock.reset_count;
  attest.clockInfo.restartCount = clock.restart_count;
  attest.clockInfo.safe = clock.safe ? TPM2_YES : TPM2_NO;
  attest.firmwareVersion = clock.firmware_version;
  const Bytes all = select(pcrs, attest.attested.quote.pcrSelect);
  const Digest digest = hash(HashAlg::kSha256, all);
  attest.attested.quote.pcrDigest.size = static_cast<UINT16>(digest.bytes().size());
  std::ranges::copy(digest.bytes(), attest.attested.quote.pcrDigest.buffer);
  if (tamper) tamper(attest);
  Bytes bytes(sizeof attest);
  std::size_t size = 0;
  ASSAY_CHECK(Tss2_MU_TPMS_ATTEST_Marshal(&attest, bytes.data(), bytes.size(), &size) ==
              TSS2_RC_SUCCESS);
  bytes.resize(size);
  return sign_bytes(std::move(bytes));
}

UntrustedQuote FakeTpm::sign_bytes(Bytes attest) const {
  UntrustedQuote out{.attest = std::move(attest), .signature = {}, .pcrs = pcrs};
  Bytes plain(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())));
  std::size_t plain_size = plain.size();
  const openssl::EvpMdCtx context(EVP_MD_CTX_new());
  ASSAY_CHECK(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1);
  ASSAY_CHECK(EVP_DigestSign(context.get(), plain.data(), &plain_size, out.attest.data(),
                             out.attest.size()) == 1);
  plain.resize(plain_size);
  TPMT_SIGNATURE signature = {};
  kind_ == AkKind::kP256 ? set_ecdsa(signature, plain) : set_rsassa(signature, plain);
  out.signature.resize(sizeof signature);
  std::size_t size = 0;
  ASSAY_CHECK(Tss2_MU_TPMT_SIGNATURE_Marshal(&signature, out.signature.data(), out.signature.size(),
                                             &size) == TSS2_RC_SUCCESS);
  out.signature.resize(size);
  return out;
}

Nonce nonce_of(std::uint8_t value) {
  return *Nonce::from(Bytes(kNonceSize, value));
}

}  // namespace assay::testing
