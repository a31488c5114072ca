#include "core/enrolment/kdf.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <initializer_list>

#include "core/openssl.h"
#include "core/result.h"

namespace assay {
namespace {

using Kdf = Handle<EVP_KDF, EVP_KDF_free>;
using KdfContext = Handle<EVP_KDF_CTX, EVP_KDF_CTX_free>;

Bytes concatenated(std::initializer_list<ByteView> parts) {
  Bytes out;
  for (const ByteView part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

// OpenSSL only reads what a parameter points to.
OSSL_PARAM octets(const char* name, const Bytes& bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()),
                                           bytes.size());
}

OSSL_PARAM text(const char* name, std::string& value) {
  return OSSL_PARAM_construct_utf8_string(name, value.data(), 0);
}

// OpenSSL derives from any input; it fails when it cannot allocate or lacks the algorithm, neither
// of which is survivable.
Bytes derive(const char* algorithm, const OSSL_PARAM* params, std::uint32_t bits) {
  ASSAY_CHECK(bits != 0 && bits % 8 == 0);
  const Kdf kdf(EVP_KDF_fetch(nullptr, algorithm, nullptr));
  const KdfContext context(EVP_KDF_CTX_new(kdf.get()));
  Bytes out(bits / 8);
  ASSAY_CHECK(context != nullptr &&
              EVP_KDF_derive(context.get(), out.data(), out.size(), params) == 1);
  return out;
}

}  // namespace

Bytes kdf_a(HashAlg alg, ByteView key, const KdfUse& use, std::uint32_t bits) {
  const Bytes secret = concatenated({key});
  const Bytes label = concatenated({as_bytes(use.label)});
  const Bytes context = concatenated({use.u, use.v});
  std::string mac = "HMAC";
  std::string mode = "counter";
  std::string digest(hash_name(alg));
  // OpenSSL writes the zero byte after the label, and the length in bits at the end, by default.
  const OSSL_PARAM params[] = {
      text(OSSL_KDF_PARAM_MAC, mac),       text(OSSL_KDF_PARAM_MODE, mode),
      text(OSSL_KDF_PARAM_DIGEST, digest), octets(OSSL_KDF_PARAM_KEY, secret),
      octets(OSSL_KDF_PARAM_SALT, label),  octets(OSSL_KDF_PARAM_INFO, context),
      OSSL_PARAM_construct_end()};
  return derive("KBKDF", params, bits);
}

Bytes kdf_e(HashAlg alg, ByteView shared_x, const KdfUse& use, std::uint32_t bits) {
  static constexpr std::uint8_t kZero[] = {0};  // ends the label
  const Bytes secret = concatenated({shared_x});
  const Bytes info = concatenated({as_bytes(use.label), kZero, use.u, use.v});
  std::string digest(hash_name(alg));
  const OSSL_PARAM params[] = {text(OSSL_KDF_PARAM_DIGEST, digest),
                               octets(OSSL_KDF_PARAM_KEY, secret),
                               octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  return derive("SSKDF", params, bits);
}

}  // namespace assay
