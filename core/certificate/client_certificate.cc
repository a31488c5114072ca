#include "core/certificate/client_certificate.h"

#include <algorithm>

#include "core/certificate/chain.h"

namespace assay {
namespace {

using openssl::X509Certificate;

tl::unexpected<Fault> unfit(std::string why) {
  return fail(FaultId::kIdentityCertificateUnfit, std::move(why));
}

Result<std::vector<X509Certificate>> read_chain(std::string_view pem) {
  if (pem.size() > kMaxClientChainBytes) return unfit("certificates over 64 KiB");
  auto read = read_pem_certificates(as_bytes(pem));
  if (!read || read->empty()) return unfit("certificates that cannot be read");
  if (read->size() > kMaxChain) return unfit("over 16 certificates");
  return *std::move(read);
}

bool is_printable(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

struct Names {
  std::vector<std::string> uris;
  std::vector<std::string> dns;
};

Result<Names> names_of(const X509* certificate) {
  const openssl::GeneralNames all = alternative_names(certificate);
  Names out;
  for (int i = 0; i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type != GEN_URI && name->type != GEN_DNS) continue;
    const std::string_view text =
        as_text({ASN1_STRING_get0_data(name->d.ia5),
                 static_cast<std::size_t>(ASN1_STRING_length(name->d.ia5))});
    if (!is_printable(text)) return unfit("a name that is not printable");
    if (name->type == GEN_URI) out.uris.emplace_back(text);
    if (name->type == GEN_DNS) out.dns.push_back(lower(text));
  }
  if (out.uris.size() > 1) return unfit("more than one URI");
  if (out.uris.empty() && out.dns.empty()) return unfit("no URI and no DNS name");
  return out;
}

FaultId fault_of(const ChainFailure& failure) {
  switch (failure.error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return FaultId::kIdentityExpired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return FaultId::kIdentityNotYetValid;
    default:
      return FaultId::kIdentityCertificateUntrusted;
  }
}

}  // namespace

Result<ClientCertificate> verify_client_certificate(std::string_view chain,
                                                    const TrustedRoots& roots,
                                                    std::chrono::sys_seconds now) {
  ASSAY_TRY(const auto certificates, read_chain(chain));
  X509* const leaf = certificates.front().get();
  if (is_authority(leaf)) return unfit("certificate of an authority, not of a client");
  if (X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0) != 1) return unfit("not for clients");
  ASSAY_TRY(Names names, names_of(leaf));
  const auto trusted = check_chain(leaf, certificates, roots.store(),
                                   {.now = now, .purpose = X509_PURPOSE_SSL_CLIENT});
  if (!trusted) return fail(fault_of(trusted.error()), trusted.error().text());
  ClientCertificate out;
  if (!names.uris.empty()) out.uri_ = std::move(names.uris.front());
  out.dns_ = std::move(names.dns);
  return out;
}

}  // namespace assay
