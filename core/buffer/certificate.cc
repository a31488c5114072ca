#include "core/buffer/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "core/openssl.h"
#include "core/result.h"

namespace assay {
namespace {

using openssl::X509Certificate;

constexpr std::size_t kMaxSerialBytes = 20;  // RFC 5280, 4.1.2.2

// The last value of this kind: the most specific one.
std::string name_part(const X509_NAME* name, int nid) {
  int last = -1;
  for (int at = -1; (at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0;) last = at;
  if (last < 0) return {};
  const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last));
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, value);
  if (size < 0) return {};
  std::string out(as_text({text, static_cast<std::size_t>(size)}));
  OPENSSL_free(text);
  return out;
}

std::string subject_of(const X509* certificate) {
  const X509_NAME* name = X509_get_subject_name(certificate);
  std::string out = name_part(name, NID_commonName);
  return out.empty() ? name_part(name, NID_organizationName) : out;
}

std::string key_of(const X509* certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  const char* type = key == nullptr ? nullptr : EVP_PKEY_get0_type_name(key);
  if (type == nullptr) return "key of an unknown algorithm";
  return std::string(type) + " " + std::to_string(EVP_PKEY_get_bits(key));
}

std::string serial_of(const X509* certificate) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  const auto size = static_cast<std::size_t>(ASN1_STRING_length(serial));
  const ByteView all(ASN1_STRING_get0_data(serial), size);
  const bool negative = (ASN1_STRING_type(serial) & V_ASN1_NEG) != 0;
  return (negative ? "-" : "") + to_hex(all.first(std::min(size, kMaxSerialBytes))) +
         (size > kMaxSerialBytes ? "…" : "");
}

// The one certificate that `der` is; null when it is anything else.
X509Certificate parse(ByteView der) {
  if (der.empty() || der.size() > kMaxKeyBytes) return nullptr;
  const std::uint8_t* at = der.data();
  X509Certificate out(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  return at == der.data() + der.size() ? std::move(out) : nullptr;
}

// The bytes that stand in the PEM, which are what a kernel measures: encoding the certificate again
// could give others.
std::optional<Bytes> next_pem_certificate(BIO* bio) {
  unsigned char* data = nullptr;
  long size = 0;
  if (PEM_bytes_read_bio(&data, &size, nullptr, PEM_STRING_X509, bio, openssl::no_passphrase,
                         nullptr) != 1) {
    return std::nullopt;
  }
  Bytes out(data, data + size);
  OPENSSL_free(data);
  return out;
}

}  // namespace

std::optional<CertificateFacts> read_certificate(ByteView der) {
  const X509Certificate certificate = parse(der);
  if (certificate == nullptr) return std::nullopt;
  CertificateFacts out{.subject = subject_of(certificate.get()),
                       .key = key_of(certificate.get()),
                       .serial = serial_of(certificate.get()),
                       .sha256 = hash(HashAlg::kSha256, der)};
  ERR_clear_error();
  return out;
}

std::optional<Bytes> certificate_der(ByteView file) {
  if (parse(file) != nullptr) return Bytes(file.begin(), file.end());
  if (file.empty() || file.size() > kMaxKeyBytes) return std::nullopt;
  const openssl::Bio bio(BIO_new_mem_buf(file.data(), static_cast<int>(file.size())));
  ASSAY_CHECK(bio != nullptr);
  auto der = next_pem_certificate(bio.get());
  const bool one = der && parse(*der) != nullptr && !next_pem_certificate(bio.get());
  ERR_clear_error();
  return one ? std::move(der) : std::nullopt;
}

}  // namespace assay
