#include "core/enrolment/credential.h"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "core/enrolment/kdf.h"
#include "core/tpm_types.h"

namespace assay {
namespace {

using openssl::EvpPkey;
using openssl::EvpPkeyCtx;
using CipherContext = Handle<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

constexpr std::string_view kLabel = "IDENTITY";

// The seed that everything else is derived from, and the form in which only the TPM can read it.
struct Seed {
  Bytes value;
  Bytes encrypted;  // content of the TPM2B_ENCRYPTED_SECRET
};

tl::unexpected<Fault> refused() {
  return fail(FaultId::kEkUnsupported, "no credential can be made for this endorsement key");
}

// TPM2B: a 16-bit size and that many bytes.
void append_sized(Bytes& out, ByteView bytes) {
  ASSAY_CHECK(bytes.size() <= UINT16_MAX);
  out.push_back(static_cast<std::uint8_t>(bytes.size() >> 8));
  out.push_back(static_cast<std::uint8_t>(bytes.size()));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

Bytes sized(ByteView bytes) {
  Bytes out;
  append_sized(out, bytes);
  return out;
}

bool set_oaep(EVP_PKEY_CTX* context, HashAlg alg) {
  if (EVP_PKEY_encrypt_init(context) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_oaep_md(context, openssl_md(alg)) != 1 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md(context, openssl_md(alg)) != 1) {
    return false;
  }
  // The zero byte is part of the label: Part 1, B.4.
  const int size = static_cast<int>(kLabel.size() + 1);
  void* label = OPENSSL_zalloc(static_cast<std::size_t>(size));
  ASSAY_CHECK(label != nullptr);
  kLabel.copy(static_cast<char*>(label), kLabel.size());
  if (EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, size) == 1) return true;
  OPENSSL_free(label);
  return false;
}

Result<Seed> rsa_seed(const EkPublic& ek) {
  Seed out;
  out.value.resize(hash_size(ek.name_alg()));
  ASSAY_CHECK(RAND_priv_bytes(out.value.data(), static_cast<int>(out.value.size())) == 1);
  const EvpPkeyCtx context(EVP_PKEY_CTX_new(ek.key().get(), nullptr));
  std::size_t size = 0;
  if (context == nullptr || !set_oaep(context.get(), ek.name_alg()) ||
      EVP_PKEY_encrypt(context.get(), nullptr, &size, out.value.data(), out.value.size()) != 1) {
    return refused();
  }
  out.encrypted.resize(size);
  if (EVP_PKEY_encrypt(context.get(), out.encrypted.data(), &size, out.value.data(),
                       out.value.size()) != 1) {
    return refused();
  }
  out.encrypted.resize(size);
  return out;
}

// A coordinate of `key`'s point, as long as its field: Part 1, C.8.
Result<Bytes> coordinate(EVP_PKEY* key, const char* name) {
  BIGNUM* value = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &value) != 1) return refused();
  const openssl::Bignum owner(value);
  Bytes out((static_cast<std::size_t>(EVP_PKEY_get_bits(key)) + 7) / 8);
  if (BN_bn2binpad(value, out.data(), static_cast<int>(out.size())) < 0) return refused();
  return out;
}

EvpPkey ephemeral_key(EVP_PKEY* like) {
  const EvpPkeyCtx context(EVP_PKEY_CTX_new(like, nullptr));
  EVP_PKEY* key = nullptr;
  if (context == nullptr || EVP_PKEY_keygen_init(context.get()) != 1 ||
      EVP_PKEY_generate(context.get(), &key) != 1) {
    return nullptr;
  }
  return EvpPkey(key);
}

// The x coordinate of the point that both keys lead to, as long as the field.
Result<Bytes> shared_x(EVP_PKEY* own, EVP_PKEY* peer) {
  const EvpPkeyCtx context(EVP_PKEY_CTX_new(own, nullptr));
  std::size_t size = 0;
  if (context == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer) != 1 ||
      EVP_PKEY_derive(context.get(), nullptr, &size) != 1) {
    return refused();
  }
  Bytes out(size);
  if (EVP_PKEY_derive(context.get(), out.data(), &size) != 1) return refused();
  out.resize(size);
  return out;
}

Result<Seed> ecc_seed(const EkPublic& ek) {
  EVP_PKEY* const peer = ek.key().get();
  const EvpPkey own = ephemeral_key(peer);
  if (own == nullptr) return refused();
  ASSAY_TRY(const Bytes x, coordinate(own.get(), OSSL_PKEY_PARAM_EC_PUB_X));
  ASSAY_TRY(const Bytes y, coordinate(own.get(), OSSL_PKEY_PARAM_EC_PUB_Y));
  ASSAY_TRY(const Bytes peer_x, coordinate(peer, OSSL_PKEY_PARAM_EC_PUB_X));
  ASSAY_TRY(const Bytes shared, shared_x(own.get(), peer));
  const auto bits = static_cast<std::uint32_t>(hash_size(ek.name_alg()) * 8);
  Seed out;
  out.value = kdf_e(ek.name_alg(), shared, {.label = kLabel, .u = x, .v = peer_x}, bits);
  append_sized(out.encrypted, x);
  append_sized(out.encrypted, y);
  return out;
}

const EVP_CIPHER* aes_cfb(std::uint16_t bits) {
  if (bits == 128) return EVP_aes_128_cfb128();
  return bits == 192 ? EVP_aes_192_cfb128() : EVP_aes_256_cfb128();
}

// AES-CFB fails only when OpenSSL cannot allocate, and so does HMAC.
Bytes encrypt(std::uint16_t bits, const Bytes& key, const Bytes& plain) {
  static constexpr std::uint8_t kIv[16] = {};
  const CipherContext context(EVP_CIPHER_CTX_new());
  Bytes out(plain.size());
  int size = 0;
  ASSAY_CHECK(context != nullptr && key.size() * 8 == bits &&
              EVP_EncryptInit_ex2(context.get(), aes_cfb(bits), key.data(), kIv, nullptr) == 1 &&
              EVP_EncryptUpdate(context.get(), out.data(), &size, plain.data(),
                                static_cast<int>(plain.size())) == 1 &&
              static_cast<std::size_t>(size) == plain.size());
  return out;
}

Bytes hmac(HashAlg alg, const Bytes& key, const Bytes& data) {
  Bytes out(hash_size(alg));
  unsigned size = 0;
  ASSAY_CHECK(HMAC(openssl_md(alg), key.data(), static_cast<int>(key.size()), data.data(),
                   data.size(), out.data(), &size) != nullptr &&
              size == out.size());
  return out;
}

}  // namespace

Result<Credential> make_credential(const EkPublic& ek, ByteView ak_name,
                                   const CredentialSecret& secret) {
  const HashAlg alg = ek.name_alg();
  ASSAY_TRY(const Seed seed, ek.is_rsa() ? rsa_seed(ek) : ecc_seed(ek));
  const Bytes storage_key =
      kdf_a(alg, seed.value, {.label = "STORAGE", .u = ak_name}, ek.symmetric_bits());
  const Bytes hmac_key = kdf_a(alg, seed.value, {.label = "INTEGRITY"},
                               static_cast<std::uint32_t>(hash_size(alg) * 8));
  const Bytes identity = encrypt(ek.symmetric_bits(), storage_key, sized(secret));
  Bytes covered = identity;
  covered.insert(covered.end(), ak_name.begin(), ak_name.end());
  Bytes object = sized(hmac(alg, hmac_key, covered));
  object.insert(object.end(), identity.begin(), identity.end());
  return Credential{.id_object = sized(object), .encrypted_secret = sized(seed.encrypted)};
}

}  // namespace assay
