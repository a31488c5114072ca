// OpenSSL's objects with owners. Includers: core/, golden signing and the TLS edge, and no header
// that those export.
#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <utility>

#include "core/handle.h"

namespace assay::openssl {

// OpenSSL has these as macros.
inline void free_certificates(STACK_OF(X509) * stack) {
  sk_X509_free(stack);
}
inline void free_usages(EXTENDED_KEY_USAGE* usages) {
  sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
}

// For PEM readers: an encrypted block is none of ours, and nobody is asked for a passphrase.
inline int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) {
  return -1;
}

using Asn1Object = Handle<ASN1_OBJECT, ASN1_OBJECT_free>;
using Bio = Handle<BIO, BIO_free_all>;
using Bignum = Handle<BIGNUM, BN_free>;
using EcdsaSig = Handle<ECDSA_SIG, ECDSA_SIG_free>;
using EvpMd = Handle<EVP_MD, EVP_MD_free>;
using EvpMdCtx = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using EvpPkey = Handle<EVP_PKEY, EVP_PKEY_free>;
using EvpPkeyCtx = Handle<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using ExtendedKeyUsage = Handle<EXTENDED_KEY_USAGE, free_usages>;
using GeneralNames = Handle<GENERAL_NAMES, GENERAL_NAMES_free>;
using X509Certificate = Handle<X509, X509_free>;
using X509Stack = Handle<STACK_OF(X509), free_certificates>;  // owns the stack, not what is on it
using X509Store = Handle<X509_STORE, X509_STORE_free>;
using X509StoreCtx = Handle<X509_STORE_CTX, X509_STORE_CTX_free>;

}  // namespace assay::openssl

namespace assay {

// A key behind the public types that hold one: their headers only declare this.
class EvpKey {
 public:
  explicit EvpKey(openssl::EvpPkey key) : key_(std::move(key)) {}
  EVP_PKEY* get() const { return key_.get(); }

 private:
  openssl::EvpPkey key_;
};

}  // namespace assay
