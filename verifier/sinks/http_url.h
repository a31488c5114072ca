// Where a webhook goes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace assay {

inline constexpr std::size_t kMaxUrlBytes = 2048;

struct HttpUrl {
  enum class Scheme : std::uint8_t { kHttp, kHttps };

  Scheme scheme = Scheme::kHttps;
  std::string host;        // a name, an IPv4 address, or an IPv6 address without brackets
  std::uint16_t port = 0;  // the scheme's own when the text names none
  std::string target;      // path and query: "/" at least

  // "host", "host:8443", "[::1]:8443": what a Host header says, and all of the URL that may be
  // shown, since the rest may be a secret.
  std::string authority() const;
};

// Reads "http://host[:port][/path][?query]", or https, of printable ASCII. Fails with
// kConfigInvalid for anything else: another scheme, user names, a fragment, over kMaxUrlBytes.
Result<HttpUrl> parse_http_url(std::string_view text);

}  // namespace assay
