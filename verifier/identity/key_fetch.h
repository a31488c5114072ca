// Fetching an issuer's keys over HTTPS.
//
// Source: OpenID Connect Discovery 1.0, 4; RFC 7517.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

#include "verifier/clock.h"
#include "verifier/identity/key_set.h"
#include "verifier/sinks/http_url.h"

namespace assay {

inline constexpr std::size_t kMaxDiscoveryBytes = std::size_t{64} << 10;

struct KeyIssuer {
  std::string issuer{};             // https://…, as tokens have it
  std::filesystem::path ca_file{};  // PEM; empty: the system's CAs
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds timeout{10'000};  // of each read, and of a whole answer
};

// Fails with kConfigInvalid when keys can never be fetched: an issuer that is no https:// URL or has a query,
// a ca_file without a certificate; with kFileUnreadable for one that cannot be read.
Status check_key_issuer(const KeyIssuer& issuer);

// Where the issuer's keys are, as its discovery document says; untrusted. Fails with
// kIdentityKeysMalformed: not JSON as parse_strict_object() has it, of another issuer, or without a
// `jwks_uri` of https://. Pure.
Result<HttpUrl> parse_discovery(ByteView json, std::string_view issuer);

// Asks for the discovery document, and at the address in it for the keys: certificates and host names are
// checked, redirects are not followed, at most kMaxDiscoveryBytes and kMaxKeySetBytes are read. Fails with
// kIdentityKeysUnavailable, and as parse_discovery() and parse_key_set(). SIGPIPE has to be ignored.
Result<KeySet> fetch_keys(const KeyIssuer& issuer, const Clock& clock, const std::stop_token& stop);

}  // namespace assay
