#include "verifier/identity/key_fetch.h"

#include <httplib.h>

#include "core/text.h"
#include "verifier/identity/strict_json.h"
#include "verifier/sinks/ca_file.h"

namespace assay {
namespace {

constexpr std::string_view kWellKnown = "/.well-known/openid-configuration";
constexpr int kOk = 200;

tl::unexpected<Fault> unavailable(const HttpUrl& url, std::string_view why) {
  return fail(FaultId::kIdentityKeysUnavailable,
              url.authority() + ' ' + shorten(escape_bytes(why), 128));
}

// "https://issuer/path" or "https://issuer/path/" and the well-known name.
Result<HttpUrl> discovery_url(const std::string& issuer) {
  auto url = parse_http_url(issuer);
  if (!url || url->scheme != HttpUrl::Scheme::kHttps ||
      url->target.find('?') != std::string::npos) {
    return fail(FaultId::kConfigInvalid, escape_bytes(issuer) +
                                             " is no https:// URL that keys can be fetched from: "
                                             "give the issuer a jwks_file");
  }
  while (url->target.ends_with('/')) url->target.pop_back();
  url->target += kWellKnown;
  return url;
}

class Fetch {
 public:
  Fetch(const KeyIssuer& issuer, const Clock& clock, const std::stop_token& stop)
      : issuer_(issuer), clock_(clock), stop_(stop) {}

  // A body of at most `most` bytes.
  Result<std::string> get(const HttpUrl& url, std::size_t most) const {
    httplib::SSLClient client(url.host, url.port);
    client.set_connection_timeout(issuer_.connect_timeout);
    client.set_read_timeout(issuer_.timeout);
    client.set_write_timeout(issuer_.timeout);
    client.set_follow_location(false);
    client.set_keep_alive(false);
    client.set_decompress(false);
    if (!issuer_.ca_file.empty()) client.set_ca_cert_path(issuer_.ca_file.native());
    const auto deadline = clock_.monotonic() + issuer_.timeout;
    int status = 0;
    std::string body;
    httplib::Request request;
    request.method = "GET";
    request.path = url.target;
    request.set_header("Host", url.authority());
    request.set_header("Accept", "application/json");
    request.set_header("User-Agent", "assay/" ASSAY_VERSION);
    request.response_handler = [&](const httplib::Response& response) {
      status = response.status;
      return status == kOk;
    };
    request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t,
                                   std::uint64_t) {
      if (size > most - body.size() || clock_.monotonic() > deadline) return false;
      body.append(data, size);
      return true;
    };
    const std::stop_callback interrupt(stop_, [&client] { client.stop(); });
    const httplib::Result result = client.send(request);
    if (result) status = result->status;  // no handler is called for 204
    if (status != 0 && status != kOk) {
      return unavailable(url, "answered " + std::to_string(status));
    }
    if (!result) return unavailable(url, "did not answer: " + httplib::to_string(result.error()));
    return body;
  }

 private:
  const KeyIssuer& issuer_;
  const Clock& clock_;
  const std::stop_token& stop_;
};

}  // namespace

Status check_key_issuer(const KeyIssuer& issuer) {
  ASSAY_OK(discovery_url(issuer.issuer));
  if (issuer.ca_file.empty()) return {};
  return check_ca_file(issuer.ca_file, "an identity issuer's");
}

Result<HttpUrl> parse_discovery(ByteView text, std::string_view issuer) {
  constexpr FaultId kMalformed = FaultId::kIdentityKeysMalformed;
  ASSAY_TRY(const nlohmann::json root, parse_strict_object(text, kMalformed));
  const std::string* named = text_member(root, "issuer");
  if (named == nullptr || *named != issuer) {
    return fail(kMalformed, "the discovery document is of another issuer");
  }
  const std::string* address = text_member(root, "jwks_uri");
  if (address == nullptr) return fail(kMalformed, "the discovery document has no \"jwks_uri\"");
  auto url = parse_http_url(*address);
  if (!url || url->scheme != HttpUrl::Scheme::kHttps) {
    return fail(kMalformed, "\"jwks_uri\" is no https:// URL");
  }
  return url;
}

Result<KeySet> fetch_keys(const KeyIssuer& issuer, const Clock& clock,
                          const std::stop_token& stop) {
  ASSAY_TRY(const HttpUrl at, discovery_url(issuer.issuer));
  const Fetch fetch(issuer, clock, stop);
  try {
    ASSAY_TRY(const std::string discovery, fetch.get(at, kMaxDiscoveryBytes));
    ASSAY_TRY(const HttpUrl keys_at, parse_discovery(as_bytes(discovery), issuer.issuer));
    ASSAY_TRY(const std::string keys, fetch.get(keys_at, kMaxKeySetBytes));
    return parse_key_set(as_bytes(keys));
  } catch (const std::exception& error) {
    return unavailable(at, error.what());
  }
}

}  // namespace assay
