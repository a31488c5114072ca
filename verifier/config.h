// The verifier's configuration: one YAML file, read once.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/result.h"
#include "verifier/access/set_signers.h"
#include "verifier/cluster/kubernetes_api.h"
#include "verifier/identity/client_rules.h"
#include "verifier/identity/identity_rules.h"
#include "verifier/store/golden.h"

namespace assay {

struct WebhookSettings {
  std::string name;                   // of the sink, in metrics and in the outbox
  std::string url;                    // http or https
  std::filesystem::path secret_file;  // whsec_…, mode 0600
  std::filesystem::path ca_file;      // empty: the system's CAs
};

struct ListenAddress {
  std::string host;        // a name, an IPv4 address, or an IPv6 address without brackets
  std::uint16_t port = 0;  // 0: any free one
  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

// "127.0.0.1:7443", "verifier.example:0" or "[::1]:7443"; nothing for any other text.
std::optional<ListenAddress> parse_listen_address(std::string_view text);
std::string format_listen_address(const ListenAddress& address);

struct VerifierConfig {
  ListenAddress grpc_listen{"127.0.0.1", 7443};
  std::filesystem::path tls_certificate;  // PEM chain
  std::filesystem::path tls_key;          // PEM, readable by its owner only
  ListenAddress http_listen{"127.0.0.1", 7480};
  std::filesystem::path database = "/var/lib/assay/assay.db";
  std::filesystem::path operator_token_file;  // readable by its owner only
  std::chrono::milliseconds interval{30'000};
  std::filesystem::path policy_file;   // empty: the default policy
  std::filesystem::path vendor_roots;  // folder of TPM vendors' certificates; empty: none
  std::uint64_t max_log_bytes = std::uint64_t{256} << 20;  // of one answer
  std::uint32_t max_streams = 4096;
  std::vector<WebhookSettings> webhooks;
  std::vector<SignerSettings> golden_signers;       // none: sets need no signature
  std::vector<IdentitySettings> golden_identities;  // whose tokens may push; none: nobody's
  std::vector<ClientSettings> golden_clients;       // whose certificates may push; none: nobody's
  GoldenState golden_pushed = GoldenState::kApproved;  // what a push makes: approved, or a draft
  std::chrono::milliseconds golden_grace{3'600'000};   // of a superseded set
  std::optional<KubernetesApi> kubernetes;             // none: pods have no names
};

// Reads and checks a configuration file. Every relative path is taken from the file's folder.
// Fails with kFileUnreadable, or kConfigInvalid naming file, line and key: an unknown key, a value
// of the wrong form, a required key that is missing (tls.certificate, tls.key,
// operator_token_file), two webhooks of one name.
Result<VerifierConfig> load_config(const std::filesystem::path& path);

// "500ms", "30s", "5m", "1h" as a duration; nothing for any other text, or for zero.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace assay
