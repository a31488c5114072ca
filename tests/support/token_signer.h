// An issuer of identity tokens: keys, JWKs and compact JWS, made by OpenSSL and by writers of our own.
#pragma once

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/openssl.h"
#include "core/result.h"

namespace assay::testing {

inline std::string base64url(std::string_view bytes) {
  std::string out = to_base64(as_bytes(bytes));
  for (char& c : out) {
    if (c == '+') c = '-';
    if (c == '/') c = '_';
  }
  while (out.ends_with('=')) out.pop_back();
  return out;
}

class TokenSigner {
 public:
  static TokenSigner rsa(unsigned bits = 2048) { return {EVP_RSA_gen(bits), "RS256"}; }
  static TokenSigner ec(const char* curve = "P-256") { return {EVP_EC_gen(curve), "ES256"}; }

  // "RS256"
  const std::string& algorithm() const { return algorithm_; }

  // Members of a JWK: `more` stands behind them, such as `,"use":"sig"`.
  std::string jwk(const std::string& kid, const std::string& more = "") const {
    const std::string members = algorithm_ == "RS256"
                                    ? R"("kty":"RSA","n":")" + base64url(modulus()) + R"(","e":")" +
                                          base64url(number(OSSL_PKEY_PARAM_RSA_E)) + '"'
                                    : R"("kty":"EC","crv":"P-256","x":")" + base64url(x()) +
                                          R"(","y":")" + base64url(y()) + '"';
    return R"({"kid":")" + kid + R"(",)" + members + more + "}";
  }
  static std::string key_set(const std::string& keys) { return R"({"keys":[)" + keys + "]}"; }

  std::string modulus() const { return number(OSSL_PKEY_PARAM_RSA_N); }
  std::string x() const { return number(OSSL_PKEY_PARAM_EC_PUB_X, 32); }
  std::string y() const { return number(OSSL_PKEY_PARAM_EC_PUB_Y, 32); }

  // As JWS has it: of ES256, r and s.
  std::string sign(std::string_view message) const {
    const openssl::EvpMdCtx context(EVP_MD_CTX_new());
    std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
    Bytes out(size);
    ASSAY_CHECK(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) ==
                    1 &&
                EVP_DigestSign(context.get(), out.data(), &size, as_bytes(message).data(),
                               message.size()) == 1);
    out.resize(size);
    return algorithm_ == "RS256" ? std::string(as_text(out)) : parts_of(out);
  }

  // A token with the header and the claims as they are given, JSON or not.
  std::string token(std::string_view header, std::string_view claims) const {
    const std::string signed_part = base64url(header) + '.' + base64url(claims);
    return signed_part + '.' + base64url(sign(signed_part));
  }
  // The header that a well-behaved issuer writes.
  std::string header(std::string_view kid) const {
    return R"({"typ":"JWT","alg":")" + algorithm_ + R"(","kid":")" + std::string(kid) + R"("})";
  }

 private:
  TokenSigner(EVP_PKEY* key, std::string algorithm)
      : key_(key, EVP_PKEY_free), algorithm_(std::move(algorithm)) {
    ASSAY_CHECK(key != nullptr);
  }

  std::string number(const char* name, int size = 0) const {
    BIGNUM* value = nullptr;
    ASSAY_CHECK(EVP_PKEY_get_bn_param(key_.get(), name, &value) == 1);
    const openssl::Bignum owner(value);
    Bytes out(static_cast<std::size_t>(size == 0 ? BN_num_bytes(value) : size));
    ASSAY_CHECK(BN_bn2binpad(value, out.data(), static_cast<int>(out.size())) >= 0);
    return std::string(as_text(out));
  }

  static std::string parts_of(const Bytes& der) {
    const unsigned char* at = der.data();
    const openssl::EcdsaSig parts(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
    ASSAY_CHECK(parts != nullptr);
    Bytes out(64);
    ASSAY_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), out.data(), 32) == 32 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), out.data() + 32, 32) == 32);
    return std::string(as_text(out));
  }

  std::shared_ptr<EVP_PKEY> key_;
  std::string algorithm_;
};

}  // namespace assay::testing
