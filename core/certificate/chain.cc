#include "core/certificate/chain.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "core/result.h"

namespace assay {

using openssl::X509Certificate;

namespace {

constexpr int kSecurityLevel = 2;  // of OpenSSL: 112 bits

time_t time_of(std::chrono::sys_seconds at) {
  return static_cast<time_t>(at.time_since_epoch().count());
}

openssl::X509Stack stack_of(const std::vector<X509Certificate>& chain,
                            const std::vector<X509Certificate>& more) {
  openssl::X509Stack out(sk_X509_new_null());
  for (const auto* certificates : {&chain, &more}) {
    for (const X509Certificate& certificate : *certificates) {
      ASSAY_CHECK(sk_X509_push(out.get(), certificate.get()) > 0);
    }
  }
  return out;
}

}  // namespace

X509Certificate take_certificate(ByteView& bytes) {
  const std::uint8_t* at = bytes.data();
  X509Certificate out(d2i_X509(nullptr, &at, static_cast<long>(bytes.size())));
  if (out != nullptr) bytes = bytes.subspan(static_cast<std::size_t>(at - bytes.data()));
  return out;
}

std::optional<std::vector<X509Certificate>> read_pem_certificates(ByteView text) {
  std::vector<X509Certificate> out;
  if (text.empty()) return out;
  const openssl::Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  ASSAY_CHECK(bio != nullptr);
  char* name = nullptr;
  char* header = nullptr;
  std::uint8_t* data = nullptr;
  long size = 0;
  bool sound = true;
  ERR_clear_error();
  while (sound && PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1) {
    if (std::string_view(name) == PEM_STRING_X509) {
      ByteView rest(data, static_cast<std::size_t>(size));
      out.push_back(take_certificate(rest));
      sound = out.back() != nullptr && rest.empty();
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
  }
  // At the end of the text PEM_read_bio() looks for one more block.
  sound = sound && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!sound) return std::nullopt;
  return out;
}

// X509_check_ca() passes over CA:TRUE where the key usage says that it may not sign.
bool is_authority(X509* certificate) {
  return X509_check_ca(certificate) != 0 ||
         (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0;
}

bool is_valid_at(const X509* certificate, std::chrono::sys_seconds now) {
  time_t time = time_of(now);  // OpenSSL wants a place that it may write to
  return X509_cmp_time(X509_get0_notBefore(certificate), &time) < 0 &&
         X509_cmp_time(X509_get0_notAfter(certificate), &time) > 0;
}

openssl::GeneralNames alternative_names(const X509* certificate) {
  return openssl::GeneralNames(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
}

TrustStore::TrustStore() : roots_(X509_STORE_new()) {
  ASSAY_CHECK(roots_ != nullptr);
}

void TrustStore::add(X509Certificate certificate) {
  if (X509_self_signed(certificate.get(), 0) != 1) {
    intermediates_.push_back(std::move(certificate));
    return;
  }
  ASSAY_CHECK(X509_STORE_add_cert(roots_.get(), certificate.get()) == 1);
}

std::size_t TrustStore::root_count() const {
  return static_cast<std::size_t>(sk_X509_OBJECT_num(X509_STORE_get0_objects(roots_.get())));
}

std::string TrustStore::roots_pem() const {
  const openssl::Bio bio(BIO_new(BIO_s_mem()));
  ASSAY_CHECK(bio != nullptr);
  const STACK_OF(X509_OBJECT)* const objects = X509_STORE_get0_objects(roots_.get());
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    X509* const root = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
    ASSAY_CHECK(PEM_write_bio_X509(bio.get(), root) == 1);
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string ChainFailure::text() const {
  return "certificate " + std::to_string(depth) +
         " of the chain: " + X509_verify_cert_error_string(error);
}

tl::expected<void, ChainFailure> check_chain(X509* leaf, const std::vector<X509Certificate>& chain,
                                             const TrustStore& trusted,
                                             const ChainPurpose& purpose) {
  const openssl::X509Stack untrusted = stack_of(chain, trusted.intermediates());
  const openssl::X509StoreCtx context(X509_STORE_CTX_new());
  ASSAY_CHECK(context != nullptr &&
              X509_STORE_CTX_init(context.get(), trusted.roots(), leaf, untrusted.get()) == 1);
  X509_VERIFY_PARAM* const rules = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(rules, time_of(purpose.now));
  X509_VERIFY_PARAM_set_auth_level(rules, kSecurityLevel);
  X509_VERIFY_PARAM_set_depth(rules, static_cast<int>(kMaxChain));
  if (purpose.purpose != 0) {
    ASSAY_CHECK(X509_VERIFY_PARAM_set_purpose(rules, purpose.purpose) == 1);
  }
  const bool trusts = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (trusts) return {};
  return tl::unexpected(ChainFailure{.error = X509_STORE_CTX_get_error(context.get()),
                                     .depth = X509_STORE_CTX_get_error_depth(context.get())});
}

}  // namespace assay
