#include "core/tpm_public.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <tss2/tss2_mu.h>

#include <string_view>

namespace assay {
namespace {

using openssl::EvpPkey;
using ParamBuilder = Handle<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using Params = Handle<OSSL_PARAM, OSSL_PARAM_free>;

constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 4096;
constexpr std::uint32_t kDefaultExponent = 65537;  // what a zero exponent in TPMS_RSA_PARMS means

EvpPkey key_from_params(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const openssl::EvpPkeyCtx context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return EvpPkey(key);
}

EvpPkey rsa_key(const TPMT_PUBLIC& area) {
  const TPM2B_PUBLIC_KEY_RSA& n = area.unique.rsa;
  const openssl::Bignum modulus(BN_bin2bn(n.buffer, n.size, nullptr));
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  const std::uint32_t exponent = area.parameters.rsaDetail.exponent;
  if (modulus == nullptr || builder == nullptr ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_uint32(builder.get(), OSSL_PKEY_PARAM_RSA_E,
                                 exponent == 0 ? kDefaultExponent : exponent) != 1) {
    return nullptr;
  }
  return key_from_params("RSA", builder.get());
}

struct Curve {
  TPMI_ECC_CURVE id;
  const char* name;
  std::size_t coordinate_bytes;
};

constexpr Curve kCurves[] = {{TPM2_ECC_NIST_P256, "prime256v1", 32},
                             {TPM2_ECC_NIST_P384, "secp384r1", 48},
                             {TPM2_ECC_NIST_P521, "secp521r1", 66}};

const Curve* find_curve(TPMI_ECC_CURVE id) {
  for (const Curve& curve : kCurves) {
    if (curve.id == id) return &curve;
  }
  return nullptr;
}

// A TPM may leave out a coordinate's leading zero bytes.
bool append_coordinate(Bytes& point, const TPM2B_ECC_PARAMETER& coordinate, std::size_t size) {
  if (coordinate.size == 0 || coordinate.size > size) return false;
  point.insert(point.end(), size - coordinate.size, 0);
  point.insert(point.end(), coordinate.buffer, coordinate.buffer + coordinate.size);
  return true;
}

EvpPkey ecc_key(const TPMS_ECC_POINT& at, const Curve& curve) {
  Bytes point = {0x04};  // uncompressed, SEC 1 section 2.3.3
  if (!append_coordinate(point, at.x, curve.coordinate_bytes) ||
      !append_coordinate(point, at.y, curve.coordinate_bytes)) {
    return nullptr;
  }
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.name, 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return nullptr;
  }
  return key_from_params("EC", builder.get());
}

Status check_rsa(EVP_PKEY* key, const PublicFaults& faults) {
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < kMinRsaBits || bits > kMaxRsaBits) {
    return fail(faults.unsupported, "RSA key of " + std::to_string(bits) + " bits");
  }
  BIGNUM* exponent = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1) {
    return fail(faults.malformed, "RSA key without an exponent");
  }
  const openssl::Bignum owner(exponent);
  if (BN_is_word(exponent, kDefaultExponent) != 1) {
    return fail(faults.unsupported, "RSA exponent is not 65537");
  }
  return {};
}

Status check_ecc(EVP_PKEY* key, const PublicFaults& faults) {
  char group[64] = {};
  if (EVP_PKEY_get_group_name(key, group, sizeof group, nullptr) != 1) {
    return fail(faults.unsupported, "ECC key on an unnamed curve");
  }
  for (const Curve& curve : kCurves) {
    if (std::string_view(group) == curve.name) return {};
  }
  return fail(faults.unsupported, "ECC curve is not P-256, P-384 or P-521");
}

}  // namespace

Result<TPMT_PUBLIC> unmarshal_public(ByteView bytes, const PublicFaults& faults) {
  TPM2B_PUBLIC out = {};
  std::size_t offset = 0;
  if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(bytes.data(), bytes.size(), &offset, &out) !=
      TSS2_RC_SUCCESS) {
    return fail(faults.malformed, "not a TPM2B_PUBLIC");
  }
  if (offset != bytes.size() || out.size + sizeof out.size != bytes.size()) {
    return fail(faults.malformed, "bytes left over after TPM2B_PUBLIC");
  }
  return out.publicArea;
}

ByteView public_area(ByteView tpm2b_public) {
  return tpm2b_public.subspan(sizeof(UINT16));
}

Result<EvpPkey> key_from_public(const TPMT_PUBLIC& area, const PublicFaults& faults) {
  EvpPkey key;
  if (area.type == TPM2_ALG_RSA) {
    key = rsa_key(area);
  } else if (area.type == TPM2_ALG_ECC) {
    const Curve* curve = find_curve(area.parameters.eccDetail.curveID);
    if (curve == nullptr) {
      return fail(faults.unsupported, "ECC curve is not P-256, P-384 or P-521");
    }
    key = ecc_key(area.unique.ecc, *curve);
  } else {
    return fail(faults.unsupported, "key is neither RSA nor ECC");
  }
  if (key == nullptr) return fail(faults.malformed, "public area holds no valid key");
  ASSAY_OK(check_key(key.get(), faults));
  return key;
}

Status check_key(EVP_PKEY* key, const PublicFaults& faults) {
  if (EVP_PKEY_is_a(key, "RSA") == 1) return check_rsa(key, faults);
  if (EVP_PKEY_is_a(key, "EC") == 1) return check_ecc(key, faults);
  return fail(faults.unsupported, "key is neither RSA nor ECC");
}

Result<Digest> spki_digest(EVP_PKEY* key, const PublicFaults& faults) {
  std::uint8_t* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return fail(faults.malformed, "key cannot be encoded");
  const Digest out = hash(HashAlg::kSha256, {der, static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return out;
}

}  // namespace assay
