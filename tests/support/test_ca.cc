#include "tests/support/test_ca.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <cstdlib>

namespace assay::testing {
namespace {

using openssl::Bio;
using openssl::EvpPkey;
using X509Ptr = Handle<X509, X509_free>;
using Extension = Handle<X509_EXTENSION, X509_EXTENSION_free>;

constexpr long kHour = 3600;
constexpr const char* kCaName = "Assay test CA";

void require(bool holds) {
  if (!holds) std::abort();
}

std::string text_of(BIO* bio) {
  char* start = nullptr;
  const long size = BIO_get_mem_data(bio, &start);
  return {start, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_X509(bio.get(), certificate) == 1);
  return text_of(bio.get());
}

void set_name(X509_NAME* name, const char* common_name) {
  const std::string text = common_name;
  require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, as_bytes(text).data(),
                                     static_cast<int>(text.size()), -1, 0) == 1);
}

void add(X509* certificate, int nid, const std::string& value) {
  const Extension extension(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
  require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

X509Ptr unsigned_certificate(EVP_PKEY* key, const char* common_name) {
  X509Ptr out(X509_new());
  std::uint8_t serial = 0;
  require(RAND_bytes(&serial, sizeof serial) == 1);
  require(X509_set_version(out.get(), X509_VERSION_3) == 1);
  require(ASN1_INTEGER_set_uint64(X509_get_serialNumber(out.get()), serial) == 1);
  require(X509_gmtime_adj(X509_getm_notBefore(out.get()), -kHour) != nullptr);
  require(X509_gmtime_adj(X509_getm_notAfter(out.get()), kHour) != nullptr);
  require(X509_set_pubkey(out.get(), key) == 1);
  set_name(X509_get_subject_name(out.get()), common_name);
  set_name(X509_get_issuer_name(out.get()), kCaName);
  return out;
}

}  // namespace

TestCa::TestCa() : key_(EVP_EC_gen("P-256")) {
  const X509Ptr certificate = unsigned_certificate(key_.get(), kCaName);
  add(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  add(certificate.get(), NID_key_usage, "critical,keyCertSign");
  require(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0);
  certificate_pem_ = pem_of(certificate.get());
}

TestCa::Identity TestCa::issue(const std::string& names) const {
  const EvpPkey key(EVP_EC_gen("P-256"));
  const X509Ptr certificate = unsigned_certificate(key.get(), "Assay test server");
  add(certificate.get(), NID_subject_alt_name, names);
  require(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0);
  const Bio bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
          1);
  return {.certificate_pem = pem_of(certificate.get()), .key_pem = text_of(bio.get())};
}

}  // namespace assay::testing
