#include "tests/support/software_ek.h"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <tss2/tss2_mu.h>

#include <algorithm>

#include "core/tpm_types.h"

namespace assay::testing {
namespace {

using openssl::EvpPkey;
using openssl::EvpPkeyCtx;

bool is_rsa(const EkKind& kind) {
  return kind.algorithm.starts_with("RSA-");
}

EvpPkey new_key(const EkKind& kind) {
  EvpPkey out(is_rsa(kind)
                  ? EVP_RSA_gen(static_cast<unsigned>(std::stoul(kind.algorithm.substr(4))))
                  : EVP_EC_gen(kind.algorithm.c_str()));
  ASSAY_CHECK(out != nullptr);
  return out;
}

TPM2_ALG_ID tpm_id(HashAlg alg) {
  for (const TPM2_ALG_ID id : {TPM2_ALG_SHA1, TPM2_ALG_SHA256, TPM2_ALG_SHA384, TPM2_ALG_SHA512}) {
    if (hash_from_tpm(id) == alg) return id;
  }
  return TPM2_ALG_NULL;
}

std::size_t field_bytes(EVP_PKEY* key) {
  return (static_cast<std::size_t>(EVP_PKEY_get_bits(key)) + 7) / 8;
}

// A number of `key`, `size` bytes long.
Bytes number(EVP_PKEY* key, const char* name, std::size_t size) {
  BIGNUM* value = nullptr;
  ASSAY_CHECK(EVP_PKEY_get_bn_param(key, name, &value) == 1);
  const openssl::Bignum owner(value);
  Bytes out(size);
  ASSAY_CHECK(BN_bn2binpad(value, out.data(), static_cast<int>(size)) >= 0);
  return out;
}

template <typename Sized>
void put(Sized& out, const Bytes& bytes) {
  out.size = static_cast<UINT16>(bytes.size());
  std::ranges::copy(bytes, out.buffer);
}

// Cuts TPM2Bs off the front of bytes.
struct Cursor {
  ByteView rest;
  bool ok = true;

  ByteView sized() {
    if (rest.size() < 2 || rest.size() - 2 < std::size_t{rest[0]} * 256 + rest[1]) {
      ok = false;
      return {};
    }
    const std::size_t size = std::size_t{rest[0]} * 256 + rest[1];
    const ByteView out = rest.subspan(2, size);
    rest = rest.subspan(2 + size);
    return out;
  }
};

void append(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_u32(Bytes& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

Bytes hmac_of(HashAlg alg, ByteView key, ByteView data) {
  Bytes out(hash_size(alg));
  unsigned size = 0;
  ASSAY_CHECK(HMAC(openssl_md(alg), key.data(), static_cast<int>(key.size()), data.data(),
                   data.size(), out.data(), &size) != nullptr);
  return out;
}

// Part 1, 11.4.10.2, for one context only.
Bytes kdfa(HashAlg alg, ByteView key, std::string_view label, ByteView context,
           std::uint32_t bits) {
  Bytes out;
  for (std::uint32_t i = 1; out.size() * 8 < bits; ++i) {
    Bytes block;
    append_u32(block, i);
    append(block, as_bytes(label));
    block.push_back(0);
    append(block, context);
    append_u32(block, bits);
    append(out, hmac_of(alg, key, block));
  }
  out.resize(bits / 8);
  return out;
}

// Part 1, 11.4.10.3, for as many bits as the hash has.
Bytes kdfe(HashAlg alg, ByteView z, ByteView u, ByteView v) {
  Bytes block;
  append_u32(block, 1);
  append(block, z);
  append(block, as_bytes("IDENTITY"));
  block.push_back(0);
  append(block, u);
  append(block, v);
  const Digest digest = hash(alg, block);
  return {digest.bytes().begin(), digest.bytes().end()};
}

// CFB by hand: each block of the cipher text, encrypted, is the pad of the next.
Bytes cfb_decrypt(const Bytes& key, ByteView cipher) {
  using Context = Handle<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
  const EVP_CIPHER* ecb = key.size() == 16   ? EVP_aes_128_ecb()
                          : key.size() == 24 ? EVP_aes_192_ecb()
                                             : EVP_aes_256_ecb();
  const Context context(EVP_CIPHER_CTX_new());
  ASSAY_CHECK(EVP_EncryptInit_ex2(context.get(), ecb, key.data(), nullptr, nullptr) == 1);
  Bytes previous(16);
  Bytes out;
  for (std::size_t i = 0; i < cipher.size(); ++i) {
    if (i % 16 == 0) {
      if (i != 0)
        previous.assign(cipher.begin() + static_cast<long>(i) - 16,
                        cipher.begin() + static_cast<long>(i));
      int size = 0;
      ASSAY_CHECK(EVP_EncryptUpdate(context.get(), previous.data(), &size, previous.data(), 16) ==
                  1);
    }
    out.push_back(cipher[i] ^ previous[i % 16]);
  }
  return out;
}

EvpPkey point(EVP_PKEY* curve_of, ByteView x, ByteView y) {
  Bytes encoded = {0x04};
  append(encoded, x);
  append(encoded, y);
  EvpPkey out(EVP_PKEY_new());
  ASSAY_CHECK(EVP_PKEY_copy_parameters(out.get(), curve_of) == 1);
  if (EVP_PKEY_set1_encoded_public_key(out.get(), encoded.data(), encoded.size()) != 1)
    return nullptr;
  return out;
}

}  // namespace

SoftwareEk::SoftwareEk(const EkKind& kind) : kind_(kind), key_(new_key(kind)) {}

Bytes SoftwareEk::encoded(const std::function<void(TPMT_PUBLIC&)>& tamper) const {
  TPM2B_PUBLIC out = {};
  TPMT_PUBLIC& area = out.publicArea;
  area.nameAlg = tpm_id(kind_.name_alg);
  area.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                          TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_ADMINWITHPOLICY |
                          TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
  const TPMT_SYM_DEF_OBJECT cipher = {
      .algorithm = TPM2_ALG_AES, .keyBits = {.aes = kind_.aes_bits}, .mode = {.aes = TPM2_ALG_CFB}};
  if (is_rsa(kind_)) {
    area.type = TPM2_ALG_RSA;
    area.parameters.rsaDetail.symmetric = cipher;
    area.parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
    area.parameters.rsaDetail.keyBits = static_cast<UINT16>(EVP_PKEY_get_bits(key()));
    put(area.unique.rsa, number(key(), OSSL_PKEY_PARAM_RSA_N, field_bytes(key())));
  } else {
    area.type = TPM2_ALG_ECC;
    area.parameters.eccDetail.symmetric = cipher;
    area.parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
    area.parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
    area.parameters.eccDetail.curveID = kind_.algorithm == "P-256"   ? TPM2_ECC_NIST_P256
                                        : kind_.algorithm == "P-384" ? TPM2_ECC_NIST_P384
                                                                     : TPM2_ECC_NIST_P521;
    put(area.unique.ecc.x, number(key(), OSSL_PKEY_PARAM_EC_PUB_X, field_bytes(key())));
    put(area.unique.ecc.y, number(key(), OSSL_PKEY_PARAM_EC_PUB_Y, field_bytes(key())));
  }
  if (tamper) tamper(area);
  Bytes bytes(sizeof out);
  std::size_t size = 0;
  ASSAY_CHECK(Tss2_MU_TPM2B_PUBLIC_Marshal(&out, bytes.data(), bytes.size(), &size) ==
              TSS2_RC_SUCCESS);
  bytes.resize(size);
  return bytes;
}

EkPublic SoftwareEk::ek() const {
  return parse_ek_public(encoded()).value();
}

std::optional<Bytes> SoftwareEk::open_rsa_seed(ByteView encrypted) const {
  const EvpPkeyCtx context(EVP_PKEY_CTX_new(key(), nullptr));
  static constexpr char kLabel[] = "IDENTITY";
  void* label = OPENSSL_memdup(kLabel, sizeof kLabel);
  ASSAY_CHECK(EVP_PKEY_decrypt_init(context.get()) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), openssl_md(kind_.name_alg)) == 1 &&
              EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), openssl_md(kind_.name_alg)) == 1 &&
              EVP_PKEY_CTX_set0_rsa_oaep_label(context.get(), label, sizeof kLabel) == 1);
  Bytes seed(field_bytes(key()));
  std::size_t size = seed.size();
  if (encrypted.size() != seed.size() ||
      EVP_PKEY_decrypt(context.get(), seed.data(), &size, encrypted.data(), encrypted.size()) !=
          1) {
    return std::nullopt;
  }
  seed.resize(size);
  return seed;
}

std::optional<Bytes> SoftwareEk::open_ecc_seed(ByteView encrypted) const {
  Cursor at{encrypted};
  const ByteView x = at.sized();
  const ByteView y = at.sized();
  const std::size_t field = field_bytes(key());
  if (!at.ok || !at.rest.empty() || x.size() != field || y.size() != field) return std::nullopt;
  const EvpPkey peer = point(key(), x, y);
  const EvpPkeyCtx context(EVP_PKEY_CTX_new(key(), nullptr));
  Bytes z(field);
  std::size_t size = z.size();
  if (peer == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer.get()) != 1 ||
      EVP_PKEY_derive(context.get(), z.data(), &size) != 1 || size != field) {
    return std::nullopt;
  }
  return kdfe(kind_.name_alg, z, x, number(key(), OSSL_PKEY_PARAM_EC_PUB_X, field));
}

std::optional<Bytes> SoftwareEk::activate(const Credential& credential, ByteView name) const {
  Cursor secret{credential.encrypted_secret};
  const ByteView encrypted = secret.sized();
  Cursor outer{credential.id_object};
  Cursor object{outer.sized()};
  const ByteView integrity = object.sized();
  if (!secret.ok || !secret.rest.empty() || !outer.ok || !outer.rest.empty() || !object.ok) {
    return std::nullopt;
  }
  const auto seed = is_rsa(kind_) ? open_rsa_seed(encrypted) : open_ecc_seed(encrypted);
  if (!seed) return std::nullopt;
  const auto hash_bits = static_cast<std::uint32_t>(hash_size(kind_.name_alg) * 8);
  Bytes covered(object.rest.begin(), object.rest.end());
  append(covered, name);
  const Bytes hmac_key = kdfa(kind_.name_alg, *seed, "INTEGRITY", {}, hash_bits);
  if (!std::ranges::equal(hmac_of(kind_.name_alg, hmac_key, covered), integrity))
    return std::nullopt;
  const Bytes plain =
      cfb_decrypt(kdfa(kind_.name_alg, *seed, "STORAGE", name, kind_.aes_bits), object.rest);
  Cursor at{plain};
  const ByteView out = at.sized();
  if (!at.ok || !at.rest.empty()) return std::nullopt;
  return Bytes(out.begin(), out.end());
}

}  // namespace assay::testing
