#include "verifier/sinks/http_url.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace assay {
namespace {

constexpr std::string_view kHttp = "http://";
constexpr std::string_view kHttps = "https://";

std::uint16_t default_port(HttpUrl::Scheme scheme) {
  return scheme == HttpUrl::Scheme::kHttps ? 443 : 80;
}

tl::unexpected<Fault> refused(std::string_view why) {
  return fail(FaultId::kConfigInvalid, "a webhook's URL " + std::string(why));
}

bool alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool valid_name(std::string_view host) {
  return !host.empty() && std::ranges::all_of(host, [](char c) {
    return alphanumeric(c) || c == '-' || c == '.' || c == '_';
  });
}

bool valid_ipv6(std::string_view host) {
  return host.find(':') != std::string_view::npos &&
         host.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end || port == 0) return std::nullopt;
  return port;
}

// "host", "host:port", "[ipv6]", "[ipv6]:port" into `url`.
Status parse_authority(std::string_view authority, HttpUrl& url) {
  const bool ipv6 = authority.starts_with('[');
  const std::size_t host_end = ipv6 ? authority.find(']') : authority.find(':');
  const std::string_view host = authority.substr(0, host_end).substr(ipv6 ? 1 : 0);
  if (ipv6 ? host_end == std::string_view::npos || !valid_ipv6(host) : !valid_name(host)) {
    return refused("names no valid host");
  }
  url.host = host;
  std::string_view rest = authority.substr(std::min(authority.size(), host_end));
  if (ipv6) rest.remove_prefix(1);
  if (rest.empty()) return {};
  const auto port = rest.starts_with(':') ? parse_port(rest.substr(1)) : std::nullopt;
  if (!port) return refused("names no valid port (1 to 65535)");
  url.port = *port;
  return {};
}

}  // namespace

std::string HttpUrl::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : '[' + host + ']';
  return port == default_port(scheme) ? name : name + ':' + std::to_string(port);
}

Result<HttpUrl> parse_http_url(std::string_view text) {
  if (text.size() > kMaxUrlBytes) return refused("is over 2048 bytes long");
  if (!std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; })) {
    return refused("holds a space or a character other than printable ASCII; percent-encode it");
  }
  HttpUrl url;
  if (text.starts_with(kHttp)) {
    url.scheme = HttpUrl::Scheme::kHttp;
  } else if (!text.starts_with(kHttps)) {
    return refused("has to begin with https:// or http://");
  }
  url.port = default_port(url.scheme);
  text.remove_prefix(url.scheme == HttpUrl::Scheme::kHttp ? kHttp.size() : kHttps.size());
  if (text.find('#') != std::string_view::npos) return refused("has a fragment; leave out '#…'");
  const std::size_t authority_end = std::min(text.find_first_of("/?"), text.size());
  const std::string_view authority = text.substr(0, authority_end);
  if (authority.find('@') != std::string_view::npos) {
    return refused("has a user name; messages are signed instead, leave out what is before '@'");
  }
  ASSAY_OK(parse_authority(authority, url));
  const std::string_view target = text.substr(authority_end);
  url.target = target.starts_with('/') ? std::string(target) : '/' + std::string(target);
  return url;
}

}  // namespace assay
