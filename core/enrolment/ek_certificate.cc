#include "core/enrolment/ek_certificate.h"

#include "core/certificate/chain.h"
#include "core/tpm_types.h"

namespace assay {

using openssl::X509Certificate;

namespace {

constexpr std::size_t kMaxCertificateBytes = 8192;
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
  if (is_authority(certificate)) {
    return fail(FaultId::kEkCertificateUsage, "certificate of an authority, not of a key");
  }
  return {};
}

Status check_leads_to_root(X509* certificate, const std::vector<X509Certificate>& chain,
                           const TrustedRoots& roots, std::chrono::sys_seconds now) {
  const auto trusted = check_chain(certificate, chain, roots.store(), {.now = now});
  if (trusted) return {};
  const ChainFailure& failure = trusted.error();
  const bool expired = failure.error == X509_V_ERR_CERT_HAS_EXPIRED ||
                       failure.error == X509_V_ERR_CERT_NOT_YET_VALID;
  return fail(expired ? FaultId::kEkCertificateExpired : FaultId::kEkCertificateUntrusted,
              failure.text());
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
  const openssl::GeneralNames names = alternative_names(certificate);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DIRNAME) continue;
    std::string found = attribute(name->d.directoryName, type.get());
    if (!found.empty()) return found;
  }
  return attribute(X509_get_subject_name(certificate), type.get());
}

}  // namespace

Result<EndorsedEk> verify_ek_certificate(const UntrustedEkCertificate& untrusted,
                                         const EkPublic& ek, const TrustedRoots& roots,
                                         std::chrono::sys_seconds now) {
  ASSAY_TRY(const X509Certificate certificate, read_certificate(untrusted.certificate));
  ASSAY_TRY(const auto chain, read_chain(untrusted.chain));
  const EVP_PKEY* const key = certified_key(certificate.get());
  if (key == nullptr || EVP_PKEY_eq(key, ek.key().get()) != 1) {
    return fail(FaultId::kEkCertificateKeyMismatch, "certificate of another key");
  }
  ASSAY_OK(check_usage(certificate.get()));
  if (!is_valid_at(certificate.get(), now)) {
    return fail(FaultId::kEkCertificateExpired, "certificate is not valid now");
  }
  ASSAY_OK(check_leads_to_root(certificate.get(), chain, roots, now));
  return EndorsedEk(ek, manufacturer_of(certificate.get()));
}

EndorsedEk trust_without_certificate(EkPublic ek) {
  return {std::move(ek), ""};
}

}  // namespace assay
