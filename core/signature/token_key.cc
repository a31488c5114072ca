#include "core/signature/token_key.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "core/openssl.h"
#include "core/result.h"

namespace assay {

using openssl::Bignum;
using openssl::EvpPkey;
using ParamBuilder = Handle<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using Params = Handle<OSSL_PARAM, OSSL_PARAM_free>;

namespace {

constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;
constexpr std::size_t kCoordinateBytes = 32;
constexpr Bytes::value_type kUncompressed = 0x04;  // SEC 1, 2.3.3
constexpr std::string_view kNames[] = {"RS256", "ES256"};

Bignum number(ByteView big_endian) {
  Bignum out(BN_bin2bn(big_endian.data(), static_cast<int>(big_endian.size()), nullptr));
  ASSAY_CHECK(out != nullptr);
  return out;
}

// Null when the parameters are no key of that type, such as a point that is not on its curve.
EvpPkey key_from(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const openssl::EvpPkeyCtx context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  ASSAY_CHECK(params != nullptr && context != nullptr &&
              EVP_PKEY_fromdata_init(context.get()) == 1);
  EVP_PKEY* key = nullptr;
  const bool made = EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) == 1;
  EvpPkey out(key);
  ERR_clear_error();
  return made ? std::move(out) : nullptr;
}

// The signature as OpenSSL wants it; empty when it is not r and s.
Bytes ecdsa_der(ByteView signature) {
  if (signature.size() != 2 * kCoordinateBytes) return {};
  const openssl::EcdsaSig parts(ECDSA_SIG_new());
  ASSAY_CHECK(parts != nullptr &&
              ECDSA_SIG_set0(parts.get(), number(signature.first(kCoordinateBytes)).release(),
                             number(signature.last(kCoordinateBytes)).release()) == 1);
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(parts.get(), &der);
  ASSAY_CHECK(size > 0);
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

}  // namespace

std::string_view token_algorithm_name(TokenAlgorithm algorithm) {
  return kNames[static_cast<std::size_t>(algorithm)];
}

std::optional<TokenAlgorithm> token_algorithm_by_name(std::string_view name) {
  for (const auto algorithm : {TokenAlgorithm::kRs256, TokenAlgorithm::kEs256}) {
    if (name == token_algorithm_name(algorithm)) return algorithm;
  }
  return std::nullopt;
}

bool TokenKey::verify(ByteView message, ByteView signature) const {
  const Bytes der = algorithm_ == TokenAlgorithm::kEs256 ? ecdsa_der(signature) : Bytes();
  const ByteView given = algorithm_ == TokenAlgorithm::kEs256 ? ByteView(der) : signature;
  // PKCS #1 v1.5 is what an RSA key does unless it is told otherwise.
  const openssl::EvpMdCtx context(EVP_MD_CTX_new());
  ASSAY_CHECK(context != nullptr && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(),
                                                         nullptr, key_->get()) == 1);
  const bool good = !given.empty() && EVP_DigestVerify(context.get(), given.data(), given.size(),
                                                       message.data(), message.size()) == 1;
  ERR_clear_error();
  return good;
}

std::optional<TokenKey> rsa_token_key(ByteView modulus, ByteView exponent) {
  if (modulus.size() > kMaxRsaBits / 8 + 1 || exponent.size() > 8) return std::nullopt;
  const Bignum n = number(modulus);
  const Bignum e = number(exponent);
  const int bits = BN_num_bits(n.get());
  if (bits < kMinRsaBits || bits > kMaxRsaBits || BN_is_word(e.get(), RSA_F4) != 1) {
    return std::nullopt;
  }
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  ASSAY_CHECK(builder != nullptr &&
              OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
              OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1);
  EvpPkey key = key_from("RSA", builder.get());
  if (key == nullptr) return std::nullopt;
  return TokenKey(TokenAlgorithm::kRs256, std::make_shared<const EvpKey>(std::move(key)));
}

std::optional<TokenKey> p256_token_key(ByteView x, ByteView y) {
  if (x.size() != kCoordinateBytes || y.size() != kCoordinateBytes) return std::nullopt;
  Bytes point = {kUncompressed};
  point.insert(point.end(), x.begin(), x.end());
  point.insert(point.end(), y.begin(), y.end());
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  ASSAY_CHECK(builder != nullptr &&
              OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                              "prime256v1", 0) == 1 &&
              OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                               point.size()) == 1);
  EvpPkey key = key_from("EC", builder.get());
  if (key == nullptr) return std::nullopt;
  return TokenKey(TokenAlgorithm::kEs256, std::make_shared<const EvpKey>(std::move(key)));
}

}  // namespace assay
