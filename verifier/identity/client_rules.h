// Which TLS clients may push golden sets: by the names in their certificates.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/certificate/client_certificate.h"
#include "verifier/access/name_scope.h"
#include "verifier/clock.h"

namespace assay {

// Whom a certificate has to name. A URI is compared byte by byte; a DNS name is in lower case.
struct ClientRule {
  enum class Form : std::uint8_t { kUri, kDns };

  std::vector<NameScope> names;  // of sets
  Form form = Form::kUri;
  std::string client;
};

// An authority, and whom of those that it certifies the verifier admits.
struct ClientSettings {
  std::filesystem::path ca_file;  // PEM or DER
  std::vector<ClientRule> rules;  // at least one
};

struct ClientAuthority {
  TrustedRoots roots;
  std::vector<ClientRule> rules;
};

struct ClientAuthorities {
  std::vector<ClientAuthority> all;
  std::string certificates;  // of all, PEM: what clients are asked for
};

// Reads the files. Fails with kFileUnreadable, or kConfigInvalid for one that holds no self-signed
// certificate.
Result<ClientAuthorities> load_client_authorities(const std::vector<ClientSettings>& settings);

// A client that a rule admits.
struct AdmittedClient {
  std::string name;  // in the audit: "certificate:spiffe://example.org/ci/shop"
  std::vector<NameScope> scopes;
};

// The names of every rule that `chain` meets, of an authority that has certified it; the name is of the first
// of them. An authority's rules are for its own clients. Fails as verify_client_certificate(), and with
// kIdentityRefused when no rule admits the client. Pure.
Result<AdmittedClient> admit_client(std::string_view chain,
                                    const std::vector<ClientAuthority>& authorities, Instant now);

}  // namespace assay
