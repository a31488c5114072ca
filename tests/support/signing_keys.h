// Key pairs as a person keeps them: PEM files, made by OpenSSL.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <string>

#include "core/openssl.h"
#include "core/result.h"

namespace assay::testing {

struct PemKey {
  std::string private_pem;
  std::string public_pem;

  static PemKey p256() { return ec("P-256"); }
  static PemKey ec(const char* curve) { return from(EVP_EC_gen(curve)); }
  static PemKey rsa() { return from(EVP_RSA_gen(2048U)); }
  static PemKey ed25519() { return from(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")); }

 private:
  static PemKey from(EVP_PKEY* made) {
    const openssl::EvpPkey key(made);
    const openssl::Bio secret(BIO_new(BIO_s_mem()));
    const openssl::Bio open(BIO_new(BIO_s_mem()));
    ASSAY_CHECK(PEM_write_bio_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                         nullptr) == 1 &&
                PEM_write_bio_PUBKEY(open.get(), key.get()) == 1);
    return {text_of(secret.get()), text_of(open.get())};
  }
  static std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
  }
};

}  // namespace assay::testing
