#include "verifier/sinks/http_url.h"

#include <doctest/doctest.h>

namespace assay {
namespace {

TEST_CASE("parse_http_url: reads scheme, host, port and target") {
  struct Row {
    std::string text;
    HttpUrl::Scheme scheme;
    std::string host;
    int port;
    std::string target;
    std::string authority;
  };
  const Row rows[] = {
      {"https://a.example", HttpUrl::Scheme::kHttps, "a.example", 443, "/", "a.example"},
      {"http://a.example", HttpUrl::Scheme::kHttp, "a.example", 80, "/", "a.example"},
      {"https://a:8443/x/y?z=1&q=/", HttpUrl::Scheme::kHttps, "a", 8443, "/x/y?z=1&q=/", "a:8443"},
      {"http://10.0.0.1:443/", HttpUrl::Scheme::kHttp, "10.0.0.1", 443, "/", "10.0.0.1:443"},
      {"https://[fe80::1]", HttpUrl::Scheme::kHttps, "fe80::1", 443, "/", "[fe80::1]"},
      {"https://[::1]:65535/a", HttpUrl::Scheme::kHttps, "::1", 65535, "/a", "[::1]:65535"},
      {"https://a?token=1", HttpUrl::Scheme::kHttps, "a", 443, "/?token=1", "a"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto url = parse_http_url(row.text);
    REQUIRE(url);
    CHECK(url->scheme == row.scheme);
    CHECK(url->host == row.host);
    CHECK(url->port == row.port);
    CHECK(url->target == row.target);
    CHECK(url->authority() == row.authority);
  }
}

TEST_CASE("parse_http_url: anything else is refused, with the reason") {
  struct Row {
    std::string text;
    std::string why;
  };
  const Row rows[] = {
      {"", "begin with"},
      {"ftp://a/", "begin with"},
      {"HTTPS://a/", "begin with"},
      {"a.example/hook", "begin with"},
      {"file:///etc/passwd", "begin with"},
      {"https://", "host"},
      {"https:///x", "host"},
      {"https://:80/", "host"},
      {"https://a,b/", "host"},
      {"https://[]/", "host"},
      {"https://[::1/", "host"},
      {"https://[a.example]/", "host"},
      {"https://a:/", "port"},
      {"https://a:0/", "port"},
      {"https://a:65536/", "port"},
      {"https://a:80x/", "port"},
      {"https://[::1]80/", "port"},
      {"https://user@a/", "user name"},
      {"https://user:secret@a/", "user name"},
      {"https://a/#top", "fragment"},
      {"https://a/b c", "space"},
      {"https://a/\r\nX-Injected: 1", "space"},
      {"https://\xc3\xa4/", "ASCII"},
      {"https://a/" + std::string(kMaxUrlBytes, 'x'), "2048"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto url = parse_http_url(row.text);
    REQUIRE_FALSE(url);
    CHECK(url.error().id == FaultId::kConfigInvalid);
    CHECK_MESSAGE(url.error().detail.find(row.why) != std::string::npos, url.error().detail);
    CHECK(url.error().detail.find("secret") == std::string::npos);
  }
}

}  // namespace
}  // namespace assay
