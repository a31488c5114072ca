#include "core/enrolment/ek_certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "core/tpm_types.h"

namespace assay {

using openssl::X509Certificate;

class VendorRoots::Store {
 public:
  Store() : roots_(X509_STORE_new()) { ASSAY_CHECK(roots_ != nullptr); }

  X509_STORE* roots() const { return roots_.get(); }
  const std::vector<X509Certificate>& intermediates() const { return intermediates_; }

  std::size_t root_count() const {
    return static_cast<std::size_t>(sk_X509_OBJECT_num(X509_STORE_get0_objects(roots_.get())));
  }

  void add(X509Certificate certificate) {
    if (X509_self_signed(certificate.get(), 0) != 1) {
      intermediates_.push_back(std::move(certificate));
      return;
    }
    ASSAY_CHECK(X509_STORE_add_cert(roots_.get(), certificate.get()) == 1);
  }

 private:
  openssl::X509Store roots_;
  std::vector<X509Certificate> intermediates_;
};

namespace {

constexpr std::size_t kMaxCertificateBytes = 8192;
constexpr std::size_t kMaxChain = 16;
constexpr std::size_t kMaxRootFileBytes = std::size_t{16} << 20;
constexpr int kSecurityLevel = 2;  // of OpenSSL: 112 bits, so neither SHA-1 nor RSA under 2048
constexpr std::size_t kMaxManufacturerBytes = 64;

constexpr const char* kEkUsage = "2.23.133.8.1";       // tcg-kp-EKCertificate
constexpr const char* kManufacturer = "2.23.133.2.1";  // tcg-at-tpmManufacturer

tl::unexpected<Fault> malformed(std::string detail) {
  return fail(FaultId::kEkCertificateMalformed, std::move(detail));
}

// An NV index is larger than the certificate in it: the rest was cleared, or never written.
bool is_fill(ByteView bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t b) { return b == 0; }) ||
         std::ranges::all_of(bytes, [](std::uint8_t b) { return b == 0xff; });
}

// `bytes` without the header 10 01 00 and its 16-bit size, if they have one.
Result<ByteView> unwrap(ByteView bytes) {
  static constexpr std::uint8_t kHeader[] = {0x10, 0x01, 0x00};
  constexpr std::size_t kHeaderBytes = sizeof kHeader + 2;
  if (bytes.size() < kHeaderBytes || !std::ranges::equal(bytes.first(sizeof kHeader), kHeader)) {
    return bytes;
  }
  const std::size_t size = std::size_t{bytes[3]} << 8 | bytes[4];
  const ByteView rest = bytes.subspan(kHeaderBytes);
  if (size > rest.size()) return malformed("certificate is cut short");
  if (!is_fill(rest.subspan(size))) return malformed("bytes after the certificate");
  return rest.first(size);
}

// Takes one certificate off the front of `bytes`; null when there is none.
X509Certificate take_certificate(ByteView& bytes) {
  const std::uint8_t* at = bytes.data();
  X509Certificate out(d2i_X509(nullptr, &at, static_cast<long>(bytes.size())));
  if (out != nullptr) bytes = bytes.subspan(static_cast<std::size_t>(at - bytes.data()));
  return out;
}

// One certificate or more, as an NV index holds them.
Result<std::vector<X509Certificate>> read_certificates(ByteView bytes) {
  if (bytes.size() > kMaxCertificateBytes) return malformed("certificate over 8 KiB");
  ASSAY_TRY(ByteView rest, unwrap(bytes));
  std::vector<X509Certificate> out;
  do {
    out.push_back(take_certificate(rest));
    if (out.back() == nullptr) {
      return malformed(out.size() == 1 ? "not an X.509 certificate"
                                       : "bytes after the certificate");
    }
  } while (!is_fill(rest));
  return out;
}

Result<X509Certificate> read_certificate(ByteView bytes) {
  ASSAY_TRY(auto read, read_certificates(bytes));
  if (read.size() != 1) return malformed("bytes after the certificate");
  return std::move(read.front());
}

Result<std::vector<X509Certificate>> read_chain(const std::vector<Bytes>& chain) {
  std::vector<X509Certificate> out;
  for (const Bytes& bytes : chain) {
    ASSAY_TRY(auto read, read_certificates(bytes));
    if (out.size() + read.size() > kMaxChain) return malformed("chain of over 16 certificates");
    for (X509Certificate& certificate : read) out.push_back(std::move(certificate));
  }
  return out;
}

// Some vendors mark an RSA key as for RSAES-OAEP only (RFC 4055, 4.1), for which OpenSSL 3 has no
// decoder. The key itself is written as ever: we have it read again as rsaEncryption, in its place,
// because the chain is checked with it there. The bytes that were signed are kept as they were.
EVP_PKEY* certified_key(X509* certificate) {
  if (EVP_PKEY* key = X509_get0_pubkey(certificate)) return key;
  X509_PUBKEY* const place = X509_get_X509_PUBKEY(certificate);
  ASN1_OBJECT* algorithm = nullptr;
  const std::uint8_t* encoded = nullptr;
  int size = 0;
  if (X509_PUBKEY_get0_param(&algorithm, &encoded, &size, nullptr, place) != 1 ||
      OBJ_obj2nid(algorithm) != NID_rsaesOaep) {
    return nullptr;
  }
  const openssl::EvpPkey key(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &encoded, size));
  std::uint8_t* der = nullptr;
  const int der_size = key == nullptr ? 0 : i2d_PUBKEY(key.get(), &der);
  if (der_size <= 0) return nullptr;
  X509_PUBKEY* reused = place;
  const std::uint8_t* at = der;
  // OpenSSL's own encoding of a key: it frees `place` if it cannot read that, under our feet.
  ASSAY_CHECK(d2i_X509_PUBKEY(&reused, &at, der_size) == place);
  OPENSSL_free(der);
  return X509_get0_pubkey(certificate);
}

bool has_ek_usage(const X509* certificate) {
  const openssl::ExtendedKeyUsage usages(static_cast<EXTENDED_KEY_USAGE*>(
      X509_get_ext_d2i(certificate, NID_ext_key_usage, nullptr, nullptr)));
  const openssl::Asn1Object wanted(OBJ_txt2obj(kEkUsage, 1));
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages.get()); ++i) {
    if (OBJ_cmp(sk_ASN1_OBJECT_value(usages.get(), i), wanted.get()) == 0) return true;
  }
  return false;
}

Status check_usage(X509* certificate) {
  if (!has_ek_usage(certificate)) {
    return fail(FaultId::kEkCertificateUsage, "no extended key usage 2.23.133.8.1");
  }
  // X509_check_ca() passes over CA:TRUE where the key usage says that it may not sign.
  if (X509_check_ca(certificate) != 0 || (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0) {
    return fail(FaultId::kEkCertificateUsage, "certificate of an authority, not of a key");
  }
  return {};
}

bool is_valid_at(const X509* certificate, std::time_t now) {
  return X509_cmp_time(X509_get0_notBefore(certificate), &now) < 0 &&
         X509_cmp_time(X509_get0_notAfter(certificate), &now) > 0;
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

Status check_chain(X509* certificate, const std::vector<X509Certificate>& chain,
                   const VendorRoots& roots, std::time_t now) {
  const openssl::X509Stack untrusted = stack_of(chain, roots.store().intermediates());
  const openssl::X509StoreCtx context(X509_STORE_CTX_new());
  ASSAY_CHECK(context != nullptr && X509_STORE_CTX_init(context.get(), roots.store().roots(),
                                                        certificate, untrusted.get()) == 1);
  X509_VERIFY_PARAM* const rules = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(rules, now);
  X509_VERIFY_PARAM_set_auth_level(rules, kSecurityLevel);
  X509_VERIFY_PARAM_set_depth(rules, static_cast<int>(kMaxChain));
  if (X509_verify_cert(context.get()) == 1) return {};
  const int error = X509_STORE_CTX_get_error(context.get());
  const bool expired =
      error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID;
  return fail(expired ? FaultId::kEkCertificateExpired : FaultId::kEkCertificateUntrusted,
              "certificate " + std::to_string(X509_STORE_CTX_get_error_depth(context.get())) +
                  " of the chain: " + X509_verify_cert_error_string(error));
}

// A short printable ASCII attribute of `name`, or nothing.
std::string attribute(const X509_NAME* name, const ASN1_OBJECT* type) {
  const int at = X509_NAME_get_index_by_OBJ(name, type, -1);
  if (at < 0) return {};
  const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
  const std::string_view text =
      as_text({ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value))});
  const bool printable = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
  if (text.size() > kMaxManufacturerBytes || !printable) return {};
  return std::string(text);
}

// EK Credential Profile, 3.2.9: a directory name in subjectAltName; some vendors use the subject.
std::string manufacturer_of(const X509* certificate) {
  const openssl::Asn1Object type(OBJ_txt2obj(kManufacturer, 1));
  const openssl::GeneralNames names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DIRNAME) continue;
    std::string found = attribute(name->d.directoryName, type.get());
    if (!found.empty()) return found;
  }
  return attribute(X509_get_subject_name(certificate), type.get());
}

// The certificates of a PEM file; text and other blocks between them are passed over.
Result<std::vector<X509Certificate>> read_pem(ByteView bytes) {
  std::vector<X509Certificate> out;
  if (bytes.empty()) return out;
  const openssl::Bio bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  ASSAY_CHECK(bio != nullptr);
  char* name = nullptr;
  char* header = nullptr;
  std::uint8_t* data = nullptr;
  long size = 0;
  bool sound = true;
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
  // At the end of the file PEM_read_bio() looks for one more block.
  if (!sound || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return malformed("a PEM block that cannot be read");
  }
  return out;
}

Result<std::vector<X509Certificate>> read_root_file(ByteView bytes) {
  if (bytes.size() > kMaxRootFileBytes) return malformed("over 16 MiB");
  ByteView rest = bytes;
  std::vector<X509Certificate> out;
  out.push_back(take_certificate(rest));
  if (out.back() != nullptr && rest.empty()) return out;
  ASSAY_TRY(out, read_pem(bytes));
  if (out.empty()) return malformed("no certificate");
  return out;
}

}  // namespace

VendorRoots::VendorRoots() : store_(std::make_shared<const Store>()) {}

Result<VendorRoots> parse_vendor_roots(const std::vector<Bytes>& files) {
  auto store = std::make_unique<VendorRoots::Store>();
  for (std::size_t i = 0; i < files.size(); ++i) {
    auto read = read_root_file(files[i]);
    ERR_clear_error();
    if (!read) return malformed("file " + std::to_string(i) + ": " + read.error().detail);
    for (X509Certificate& certificate : *read) store->add(std::move(certificate));
  }
  VendorRoots out;
  out.size_ = store->root_count();
  out.store_ = std::move(store);
  return out;
}

Result<EndorsedEk> verify_ek_certificate(const UntrustedEkCertificate& untrusted,
                                         const EkPublic& ek, const VendorRoots& roots,
                                         std::chrono::sys_seconds now) {
  const auto time = static_cast<std::time_t>(now.time_since_epoch().count());
  ASSAY_TRY(const X509Certificate certificate, read_certificate(untrusted.certificate));
  ASSAY_TRY(const auto chain, read_chain(untrusted.chain));
  const EVP_PKEY* const key = certified_key(certificate.get());
  if (key == nullptr || EVP_PKEY_eq(key, ek.key().get()) != 1) {
    return fail(FaultId::kEkCertificateKeyMismatch, "certificate of another key");
  }
  ASSAY_OK(check_usage(certificate.get()));
  if (!is_valid_at(certificate.get(), time)) {
    return fail(FaultId::kEkCertificateExpired, "certificate is not valid now");
  }
  ASSAY_OK(check_chain(certificate.get(), chain, roots, time));
  return EndorsedEk(ek, manufacturer_of(certificate.get()));
}

EndorsedEk trust_without_certificate(EkPublic ek) {
  return {std::move(ek), ""};
}

}  // namespace assay
