// Keys that sign files, and signatures of every kind, made by OpenSSL and by a writer of our own.
#pragma once

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "core/ima_log.h"
#include "core/result.h"
#include "core/signature/file_signer.h"

namespace assay::testing {

class SigningKey {
 public:
  static SigningKey ecdsa(const char* curve = "P-256") { return SigningKey(EVP_EC_gen(curve)); }
  static SigningKey rsa(unsigned bits = 2048) { return SigningKey(EVP_RSA_gen(bits)); }

  Bytes spki() const {
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key_.get(), &der);
    Bytes out(der, der + size);
    OPENSSL_free(der);
    return out;
  }
  FileSigner signer() const { return parse_file_signer(spki()).value(); }

  Bytes sign(const Digest& digest) const {
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key_.get(), nullptr);
    std::size_t size = 1024;
    Bytes out(size);
    ASSAY_CHECK(
        EVP_PKEY_sign_init(context) == 1 &&
        EVP_PKEY_CTX_set_signature_md(
            context, EVP_get_digestbyname(std::string(hash_name(digest.alg())).c_str())) == 1 &&
        EVP_PKEY_sign(context, out.data(), &size, digest.bytes().data(), digest.bytes().size()) ==
            1);
    EVP_PKEY_CTX_free(context);
    out.resize(size);
    return out;
  }

  // A detached CMS SignedData that hashes its attributes by SHA-1 and says that its content has the digest
  // `content`.
  Bytes sign_cms_attributes_by_sha1(const Digest& content) const {
    X509* holder = certificate();
    const unsigned flags = CMS_BINARY | CMS_DETACHED | CMS_NOCERTS | CMS_PARTIAL;
    CMS_ContentInfo* cms = CMS_sign(nullptr, nullptr, nullptr, nullptr, flags);
    CMS_SignerInfo* signer = CMS_add1_signer(cms, holder, key_.get(), EVP_sha1(), flags);
    ASSAY_CHECK(signer != nullptr &&
                CMS_signed_add1_attr_by_NID(signer, NID_pkcs9_messageDigest, V_ASN1_OCTET_STRING,
                                            content.bytes().data(),
                                            static_cast<int>(content.bytes().size())) == 1 &&
                CMS_signed_add1_attr_by_NID(signer, NID_pkcs9_contentType, V_ASN1_OBJECT,
                                            OBJ_nid2obj(NID_pkcs7_data), -1) == 1 &&
                CMS_SignerInfo_sign(signer) == 1);
    Bytes out = encode(cms);
    X509_free(holder);
    return out;
  }

  // A detached CMS SignedData of `content` in DER.
  Bytes sign_cms(ByteView content, unsigned flags, const EVP_MD* hash = EVP_sha256()) const {
    X509* holder = certificate();
    BIO* data = BIO_new_mem_buf(content.data(), static_cast<int>(content.size()));
    const unsigned all = flags | CMS_BINARY | CMS_DETACHED | CMS_NOCERTS;
    CMS_ContentInfo* cms = CMS_sign(nullptr, nullptr, nullptr, nullptr, all | CMS_PARTIAL);
    ASSAY_CHECK(CMS_add1_signer(cms, holder, key_.get(), hash, all) != nullptr &&
                CMS_final(cms, data, nullptr, all) == 1);
    Bytes out = encode(cms);
    BIO_free(data);
    X509_free(holder);
    return out;
  }

 private:
  explicit SigningKey(EVP_PKEY* key) : key_(key, EVP_PKEY_free) { ASSAY_CHECK(key != nullptr); }

  static Bytes encode(CMS_ContentInfo* cms) {
    unsigned char* der = nullptr;
    const int size = i2d_CMS_ContentInfo(cms, &der);
    Bytes out(der, der + size);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    return out;
  }

  X509* certificate() const {
    X509* out = X509_new();
    X509_NAME* name = X509_get_subject_name(out);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, as_bytes("signer").data(), -1, -1, 0);
    X509_set_issuer_name(out, name);
    ASN1_INTEGER_set(X509_get_serialNumber(out), 1);
    X509_gmtime_adj(X509_getm_notBefore(out), 0);
    X509_gmtime_adj(X509_getm_notAfter(out), 3600);
    X509_set_pubkey(out, key_.get());
    ASSAY_CHECK(X509_sign(out, key_.get(), EVP_sha256()) > 0);
    return out;
  }

  std::shared_ptr<EVP_PKEY> key_;
};

inline std::uint8_t kernel_hash_number(HashAlg alg) {
  constexpr std::uint8_t kNumbers[] = {2, 4, 5, 6};  // sha1, sha256, sha384, sha512
  return kNumbers[static_cast<std::size_t>(alg)];
}

// A value of security.ima or security.evm.
inline Bytes xattr(std::uint8_t type, std::uint8_t version, HashAlg alg, std::uint32_t key_id,
                   ByteView signature) {
  Bytes out = {type, version, kernel_hash_number(alg)};
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(key_id >> shift));
  }
  out.push_back(static_cast<std::uint8_t>(signature.size() >> 8));
  out.push_back(static_cast<std::uint8_t>(signature.size()));
  out.insert(out.end(), signature.begin(), signature.end());
  return out;
}

// A security.ima with a signature of version 2.
inline Bytes sig_v2(const SigningKey& key, const Digest& digest) {
  return xattr(3, 2, digest.alg(), key.signer().key_id(), key.sign(digest));
}

}  // namespace assay::testing
