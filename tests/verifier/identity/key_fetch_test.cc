#include "verifier/identity/key_fetch.h"

#include <doctest/doctest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/fault_of.h"
#include "tests/support/token_signer.h"
#include "tests/verifier/identity/issuer_server.h"

using namespace assay;
using namespace assay::testing;

namespace {

const TokenSigner& signer() {
  static const TokenSigner out = TokenSigner::ec();
  return out;
}

std::string keys() {
  return TokenSigner::key_set(signer().jwk("k"));
}

Result<KeySet> fetch(const KeyIssuer& issuer) {
  const FakeClock clock;
  return fetch_keys(issuer, clock, std::stop_token());
}

KeyIssuer at(const IssuerServer& server) {
  return {.issuer = server.issuer(), .ca_file = server.ca_file()};
}

}  // namespace

TEST_CASE("fetch_keys: follows the discovery document to the keys") {
  for (const std::string path : {"", "/realms/ci"}) {
    CAPTURE(path);
    IssuerServer server("DNS:localhost", path);
    server.publish(keys());
    const auto got = fetch(at(server));
    REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
    CHECK(got->find("k") != nullptr);
    CHECK(server.asked() ==
          std::vector<std::string>{path + "/.well-known/openid-configuration", "/keys"});
  }
}

TEST_CASE("fetch_keys: what is not a good answer brings no keys") {
  IssuerServer server;
  const std::string document = server.discovery_path();
  const std::string elsewhere =
      R"({"issuer":"https://evil.example","jwks_uri":")" + server.address() + R"(/keys"})";
  const std::string plain =
      R"({"issuer":")" + server.issuer() + R"(","jwks_uri":"http://localhost/keys"})";
  const auto redirect = [&](httplib::Response& response) {
    response.set_redirect(server.address() + "/other");
  };
  struct Row {
    std::string name;
    std::string path;
    IssuerServer::Answer answer;
    FaultId want;
  };
  const Row rows[] = {
      {"no document", document, IssuerServer::status(404), FaultId::kIdentityKeysUnavailable},
      {"no content", document, IssuerServer::status(204), FaultId::kIdentityKeysUnavailable},
      {"a redirect", document, redirect, FaultId::kIdentityKeysUnavailable},
      {"another issuer", document, IssuerServer::text(elsewhere), FaultId::kIdentityKeysMalformed},
      {"keys in clear", document, IssuerServer::text(plain), FaultId::kIdentityKeysMalformed},
      {"no JSON", document, IssuerServer::text("<html>"), FaultId::kIdentityKeysMalformed},
      {"a huge document", document, IssuerServer::text(std::string(kMaxDiscoveryBytes + 1, ' ')),
       FaultId::kIdentityKeysUnavailable},
      {"keys that are down", "/keys", IssuerServer::status(503), FaultId::kIdentityKeysUnavailable},
      {"keys that are elsewhere", "/keys", redirect, FaultId::kIdentityKeysUnavailable},
      {"no key", "/keys", IssuerServer::text(R"({"keys":[]})"), FaultId::kIdentityKeysMalformed},
      {"huge keys", "/keys", IssuerServer::text(keys() + std::string(kMaxKeySetBytes, ' ')),
       FaultId::kIdentityKeysUnavailable},
  };
  server.answer("/other", IssuerServer::text(keys()));
  for (const Row& row : rows) {
    CAPTURE(row.name);
    server.publish(keys());
    server.answer(row.path, row.answer);
    const auto got = fetch(at(server));
    REQUIRE_FALSE(got.has_value());
    CHECK_MESSAGE(got.error().id == row.want, format_fault(got.error()));
  }
  CHECK(std::ranges::count(server.asked(), "/other") == 0);
}

TEST_CASE("fetch_keys: an issuer that cannot prove its name is not asked") {
  IssuerServer other("DNS:other.example");
  other.publish(keys());
  CHECK(fault_of(fetch(at(other))) == FaultId::kIdentityKeysUnavailable);
  IssuerServer stranger;
  stranger.publish(keys());
  KeyIssuer by_another_ca = at(stranger);
  by_another_ca.ca_file = other.ca_file();
  CHECK(fault_of(fetch(by_another_ca)) == FaultId::kIdentityKeysUnavailable);
  by_another_ca.ca_file.clear();  // the system does not know this CA
  CHECK(fault_of(fetch(by_another_ca)) == FaultId::kIdentityKeysUnavailable);
  CHECK(other.asked().empty());
  CHECK(stranger.asked().empty());
}

TEST_CASE("fetch_keys: nobody there is no crash and no long wait") {
  CHECK(fault_of(fetch({.issuer = "https://127.0.0.1:1"})) == FaultId::kIdentityKeysUnavailable);
}

TEST_CASE("parse_discovery: of this issuer, and with keys by https only") {
  const auto read = [](const std::string& text) {
    return parse_discovery(as_bytes(text), "https://i");
  };
  const auto good = read(R"({"issuer":"https://i","jwks_uri":"https://k:1/x?y","more":[1]})");
  REQUIRE(good.has_value());
  CHECK(good->authority() == "k:1");
  CHECK(good->target == "/x?y");
  for (const std::string bad :
       {"", "[]", R"({"jwks_uri":"https://k"})", R"({"issuer":"https://i"})",
        R"({"issuer":"https://i/","jwks_uri":"https://k"})",
        R"({"issuer":["https://i"],"jwks_uri":"https://k"})",
        R"({"issuer":"https://i","jwks_uri":"http://k"})",
        R"({"issuer":"https://i","jwks_uri":"file:///etc/passwd"})",
        R"({"issuer":"https://i","jwks_uri":"https://a@k"})",
        R"({"issuer":"https://i","jwks_uri":1})",
        R"({"issuer":"https://x","issuer":"https://i","jwks_uri":"https://k"})"}) {
    CAPTURE(bad);
    CHECK(fault_of(read(bad)) == FaultId::kIdentityKeysMalformed);
  }
}

TEST_CASE("check_key_issuer: what can never be fetched is said at once") {
  const TempDir dir;
  CHECK(check_key_issuer({.issuer = "https://i.example/realms/x/"}).has_value());
  for (const std::string bad : {"http://i", "https://", "i.example", "https://i?x=1", "https://i#x",
                                "https://user@i", ""}) {
    CAPTURE(bad);
    CHECK(fault_of(check_key_issuer({.issuer = bad})) == FaultId::kConfigInvalid);
  }
  CHECK(fault_of(check_key_issuer({.issuer = "https://i", .ca_file = dir / "none"})) ==
        FaultId::kFileUnreadable);
  CHECK(fault_of(check_key_issuer({.issuer = "https://i", .ca_file = dir.write("ca", "x")})) ==
        FaultId::kConfigInvalid);
}
