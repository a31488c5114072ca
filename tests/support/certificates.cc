#include "tests/support/certificates.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "core/result.h"

namespace assay::testing {
namespace {

using Extension = Handle<X509_EXTENSION, X509_EXTENSION_free>;
using Name = Handle<X509_NAME, X509_NAME_free>;

void set_common_name(X509_NAME* name, const std::string& value) {
  if (value.empty()) return;
  ASSAY_CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, as_bytes(value).data(),
                                         static_cast<int>(value.size()), -1, 0) == 1);
}

void set_time(ASN1_TIME* out, std::chrono::sys_seconds at) {
  ASSAY_CHECK(ASN1_TIME_set(out, static_cast<std::time_t>(at.time_since_epoch().count())) !=
              nullptr);
}

// All attributes in one set, as vendors write them.
void add_directory_name(X509* certificate, const CertificatePlan& plan) {
  X509_NAME* const name = X509_NAME_new();
  for (std::size_t i = 0; i < plan.directory_name.size(); ++i) {
    const auto& [type, value] = plan.directory_name[i];
    const openssl::Asn1Object object(OBJ_txt2obj(type.c_str(), 1));
    ASSAY_CHECK(X509_NAME_add_entry_by_OBJ(name, object.get(), V_ASN1_UTF8STRING,
                                           as_bytes(value).data(), static_cast<int>(value.size()),
                                           -1, i == 0 ? 0 : -1) == 1);
  }
  const openssl::GeneralNames names(sk_GENERAL_NAME_new_null());
  GENERAL_NAME* const general = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(general, GEN_DIRNAME, name);
  ASSAY_CHECK(sk_GENERAL_NAME_push(names.get(), general) > 0);
  ASSAY_CHECK(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 1, 0) == 1);
}

}  // namespace

Bytes make_certificate(const CertificatePlan& plan) {
  static long serial = 0;
  const openssl::X509Certificate out(X509_new());
  ASSAY_CHECK(X509_set_version(out.get(), X509_VERSION_3) == 1);
  ASSAY_CHECK(ASN1_INTEGER_set(X509_get_serialNumber(out.get()), ++serial) == 1);
  set_time(X509_getm_notBefore(out.get()), plan.not_before);
  set_time(X509_getm_notAfter(out.get()), plan.not_after);
  ASSAY_CHECK(X509_set_pubkey(out.get(), plan.key) == 1);
  set_common_name(X509_get_subject_name(out.get()), plan.subject);
  set_common_name(X509_get_issuer_name(out.get()), plan.issuer);
  for (const auto& [name, value] : plan.extensions) {
    const Extension extension(X509V3_EXT_conf(nullptr, nullptr, name.c_str(), value.c_str()));
    ASSAY_CHECK(extension != nullptr && X509_add_ext(out.get(), extension.get(), -1) == 1);
  }
  if (!plan.directory_name.empty()) add_directory_name(out.get(), plan);
  if (plan.edit) plan.edit(out.get());
  ASSAY_CHECK(X509_sign(out.get(), plan.signer, plan.hash) > 0);
  std::uint8_t* der = nullptr;
  const int size = i2d_X509(out.get(), &der);
  ASSAY_CHECK(size > 0);
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

Bytes signed_again(Bytes der, EVP_PKEY* signer, const std::function<void(Bytes&)>& edit) {
  // Certificate and TBSCertificate are sequences with sizes of two bytes: 30 82 xx xx.
  constexpr std::size_t kHeader = 4;
  ASSAY_CHECK(der.at(0) == 0x30 && der.at(1) == 0x82 && der.at(4) == 0x30 && der.at(5) == 0x82);
  const std::size_t size = kHeader + std::size_t{der.at(6)} * 256 + der.at(7);
  const auto begin = der.begin() + kHeader;
  Bytes covered(begin, begin + static_cast<long>(size));
  edit(covered);
  ASSAY_CHECK(covered.size() == size);
  std::ranges::copy(covered, begin);
  const openssl::EvpMdCtx context(EVP_MD_CTX_new());
  std::size_t signature_size = static_cast<std::size_t>(EVP_PKEY_get_size(signer));
  Bytes signature(signature_size);
  ASSAY_CHECK(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, signer) == 1 &&
              EVP_DigestSign(context.get(), signature.data(), &signature_size, covered.data(),
                             covered.size()) == 1 &&
              signature_size == signature.size());
  std::ranges::copy_backward(signature, der.end());
  return der;
}

Bytes to_pem(ByteView der, const std::string& name) {
  const openssl::Bio bio(BIO_new(BIO_s_mem()));
  ASSAY_CHECK(
      PEM_write_bio(bio.get(), name.c_str(), "", der.data(), static_cast<long>(der.size())) > 0);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return Bytes(text, text + size);
}

std::string pem_chain(const std::vector<Bytes>& certificates) {
  std::string out;
  for (const Bytes& der : certificates) out += as_text(to_pem(der));
  return out;
}

}  // namespace assay::testing
