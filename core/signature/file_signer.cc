#include "core/signature/file_signer.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>

#include "core/buffer/certificate.h"
#include "core/tpm_public.h"
#include "core/tpm_types.h"

namespace assay {

using openssl::EvpPkey;
using openssl::EvpPkeyCtx;
using openssl::X509Certificate;

namespace {

constexpr PublicFaults kFaults = {FaultId::kGoldenMalformed, FaultId::kGoldenMalformed};
constexpr std::size_t kMaxCmsBytes = std::size_t{64} << 10;
constexpr int kMaxCmsSigners = 8;
using PublicKeyInfo = Handle<X509_PUBKEY, X509_PUBKEY_free>;

// The SubjectPublicKeyInfo that `der` is, and nothing behind it.
PublicKeyInfo parse_spki(ByteView der) {
  if (der.empty() || der.size() > kMaxFileSignerBytes) return nullptr;
  const std::uint8_t* at = der.data();
  PublicKeyInfo out(d2i_X509_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  return at == der.data() + der.size() ? std::move(out) : nullptr;
}

std::uint32_t key_id_of(const X509_PUBKEY* info) {
  const unsigned char* bits = nullptr;
  int size = 0;
  ASSAY_CHECK(X509_PUBKEY_get0_param(nullptr, &bits, &size, nullptr, info) == 1);
  const Digest digest = hash(HashAlg::kSha1, {bits, static_cast<std::size_t>(size)});
  return ByteReader(digest.bytes().last(4)).u32(ByteOrder::kBig);
}

using Cms = Handle<CMS_ContentInfo, CMS_ContentInfo_free>;

Cms parse_cms(ByteView der) {
  if (der.empty() || der.size() > kMaxCmsBytes) return nullptr;
  const std::uint8_t* at = der.data();
  Cms out(d2i_CMS_ContentInfo(nullptr, &at, static_cast<long>(der.size())));
  return at == der.data() + der.size() ? std::move(out) : nullptr;
}

ByteView bytes_of(const ASN1_STRING* value) {
  if (value == nullptr) return {};
  return {ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value))};
}

bool hashes_with(CMS_SignerInfo* signer, HashAlg alg) {
  X509_ALGOR* digest = nullptr;
  CMS_SignerInfo_get0_algs(signer, nullptr, nullptr, &digest, nullptr);
  const ASN1_OBJECT* name = nullptr;
  if (digest != nullptr) X509_ALGOR_get0(&name, nullptr, nullptr, digest);
  return name != nullptr && OBJ_obj2nid(name) == EVP_MD_get_type(openssl_md(alg));
}

// Signed attributes hold the content's digest, and the signature is over them. OpenSSL looks for the
// key in a certificate, of which it reads no more.
bool verify_attributes(CMS_SignerInfo* signer, EVP_PKEY* key, const Digest& content) {
  constexpr int kExactlyOne = -3;
  const auto* said = static_cast<const ASN1_OCTET_STRING*>(CMS_signed_get0_data_by_OBJ(
      signer, OBJ_nid2obj(NID_pkcs9_messageDigest), kExactlyOne, V_ASN1_OCTET_STRING));
  if (!std::ranges::equal(bytes_of(said), content.bytes())) return false;
  const X509Certificate holder(X509_new());
  ASSAY_CHECK(holder != nullptr && X509_set_pubkey(holder.get(), key) == 1);
  CMS_SignerInfo_set1_signer_cert(signer, holder.get());
  return CMS_SignerInfo_verify(signer) == 1;
}

std::optional<Bytes> encode(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = key == nullptr ? -1 : i2d_PUBKEY(key, &der);
  if (size <= 0) return std::nullopt;
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

}  // namespace

FileSigner::FileSigner(std::shared_ptr<const EvpKey> key, ByteView spki)
    : key_(std::move(key)),
      encoded_(spki.begin(), spki.end()),
      fingerprint_(hash(HashAlg::kSha256, spki)),
      key_id_(key_id_of(parse_spki(spki).get())) {}

bool FileSigner::verify(const Digest& digest, ByteView signature) const {
  const EvpPkeyCtx context(EVP_PKEY_CTX_new(key_->get(), nullptr));
  ASSAY_CHECK(context != nullptr);
  const bool rsa = EVP_PKEY_is_a(key_->get(), "RSA") == 1;
  const bool good = EVP_PKEY_verify_init(context.get()) == 1 &&
                    (!rsa || EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1) &&
                    EVP_PKEY_CTX_set_signature_md(context.get(), openssl_md(digest.alg())) == 1 &&
                    EVP_PKEY_verify(context.get(), signature.data(), signature.size(),
                                    digest.bytes().data(), digest.bytes().size()) == 1;
  ERR_clear_error();
  return good;
}

bool FileSigner::verify_detached(const Digest& content, ByteView der) const {
  const Cms cms = parse_cms(der);
  STACK_OF(CMS_SignerInfo)* signers = cms == nullptr ? nullptr : CMS_get0_SignerInfos(cms.get());
  bool good = false;
  for (int i = 0; i < std::min(sk_CMS_SignerInfo_num(signers), kMaxCmsSigners) && !good; ++i) {
    CMS_SignerInfo* signer = sk_CMS_SignerInfo_value(signers, i);
    if (!hashes_with(signer, content.alg())) continue;
    good = CMS_signed_get_attr_count(signer) < 0
               ? verify(content, bytes_of(CMS_SignerInfo_get0_signature(signer)))
               : verify_attributes(signer, key_->get(), content);
  }
  ERR_clear_error();
  return good;
}

Result<FileSigner> parse_file_signer(ByteView spki) {
  const PublicKeyInfo info = parse_spki(spki);
  EvpPkey key(info == nullptr ? nullptr : X509_PUBKEY_get(info.get()));
  ERR_clear_error();
  if (key == nullptr) return fail(FaultId::kGoldenMalformed, "not a public key");
  ASSAY_OK(check_key(key.get(), kFaults));
  return FileSigner(std::make_shared<const EvpKey>(std::move(key)), spki);
}

std::optional<Bytes> signer_spki(ByteView file) {
  std::optional<Bytes> out;
  if (const auto der = certificate_der(file)) {
    const std::uint8_t* at = der->data();
    const X509Certificate certificate(d2i_X509(nullptr, &at, static_cast<long>(der->size())));
    out = encode(X509_get0_pubkey(certificate.get()));
  } else if (const PublicKeyInfo info = parse_spki(file); info != nullptr) {
    out = encode(X509_PUBKEY_get0(info.get()));
  } else if (!file.empty() && file.size() <= kMaxKeyBytes) {
    const openssl::Bio bio(BIO_new_mem_buf(file.data(), static_cast<int>(file.size())));
    ASSAY_CHECK(bio != nullptr);
    const EvpPkey key(PEM_read_bio_PUBKEY(bio.get(), nullptr, openssl::no_passphrase, nullptr));
    out = encode(key.get());
  }
  ERR_clear_error();
  return out;
}

}  // namespace assay
