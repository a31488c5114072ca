#include "core/certificate/key_pair.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "core/openssl.h"

namespace assay {
namespace {

openssl::Bio memory(const std::string& text) {
  return openssl::Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Status check(const std::string& chain, const std::string& key) {
  const openssl::X509Certificate certificate(
      PEM_read_bio_X509(memory(chain).get(), nullptr, openssl::no_passphrase, nullptr));
  if (certificate == nullptr) {
    return fail(FaultId::kConfigInvalid, "certificate is not a PEM certificate");
  }
  const openssl::EvpPkey private_key(
      PEM_read_bio_PrivateKey(memory(key).get(), nullptr, openssl::no_passphrase, nullptr));
  if (private_key == nullptr) {
    return fail(FaultId::kConfigInvalid, "key is not an unencrypted PEM private key");
  }
  if (X509_check_private_key(certificate.get(), private_key.get()) != 1) {
    return fail(FaultId::kConfigInvalid, "key is not the key of the certificate");
  }
  return {};
}

}  // namespace

Status check_key_pair(const std::string& chain, const std::string& key) {
  const Status good = check(chain, key);
  ERR_clear_error();
  return good;
}

}  // namespace assay
