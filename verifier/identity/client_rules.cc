#include "verifier/identity/client_rules.h"

#include <algorithm>

#include "core/text.h"
#include "verifier/secret_file.h"

namespace assay {
namespace {

constexpr std::size_t kMaxShownBytes = 256;

bool admits(const ClientRule& rule, const ClientCertificate& client) {
  if (rule.form == ClientRule::Form::kUri) return rule.client == client.uri();
  return std::ranges::find(client.dns(), rule.client) != client.dns().end();
}

std::string shown_name(const ClientCertificate& client) {
  return shorten(client.uri().empty() ? client.dns().front() : client.uri(), kMaxShownBytes);
}

// What the rules of one authority make of a client of its own.
AdmittedClient admit(const std::vector<ClientRule>& rules, const ClientCertificate& client) {
  AdmittedClient out;
  for (const ClientRule& rule : rules) {
    if (!admits(rule, client)) continue;
    if (out.name.empty()) out.name = "certificate:" + rule.client;
    out.scopes.insert(out.scopes.end(), rule.names.begin(), rule.names.end());
  }
  return out;
}

}  // namespace

Result<ClientAuthorities> load_client_authorities(const std::vector<ClientSettings>& settings) {
  ClientAuthorities out;
  for (const ClientSettings& one : settings) {
    ASSAY_TRY(const Bytes file, read_public_bytes(one.ca_file));
    auto roots = parse_trusted_roots({file});
    const std::string why = !roots               ? roots.error().detail
                            : roots->size() == 0 ? "no self-signed certificate"
                                                 : "";
    if (!why.empty()) return fail(FaultId::kConfigInvalid, one.ca_file.string() + ": " + why);
    out.certificates += roots->pem();
    out.all.push_back({*std::move(roots), one.rules});
  }
  return out;
}

Result<AdmittedClient> admit_client(std::string_view chain,
                                    const std::vector<ClientAuthority>& authorities, Instant now) {
  const auto time = std::chrono::floor<std::chrono::seconds>(now);
  Fault refusal{.id = FaultId::kIdentityCertificateUntrusted, .detail = "no authority"};
  for (const ClientAuthority& authority : authorities) {
    const auto client = verify_client_certificate(chain, authority.roots, time);
    if (client) {
      AdmittedClient admitted = admit(authority.rules, *client);
      if (!admitted.scopes.empty()) return admitted;
      refusal = {.id = FaultId::kIdentityRefused, .detail = shown_name(*client)};
    } else if (refusal.id == FaultId::kIdentityCertificateUntrusted) {
      refusal = client.error();
    }
  }
  return tl::unexpected<Fault>(std::move(refusal));
}

}  // namespace assay
