#include "cli/client.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "tests/cli/fake_verifier.h"
#include "tests/support/test_ca.h"

using namespace assay;
using namespace assay::testing;

namespace {

std::string token_file(const TempDir& dir, std::string_view content, mode_t mode = 0600) {
  const std::string path = dir.write("token", content).string();
  REQUIRE(::chmod(path.c_str(), mode) == 0);
  return path;
}

FaultId fault_of(const Result<Client>& client) {
  REQUIRE_FALSE(client.has_value());
  return client.error().id;
}

}  // namespace

TEST_CASE("Client::open: takes a token of one word that only its owner may read") {
  const TempDir dir;
  CHECK(Client::open({.token_file = token_file(dir, "  s3cret\r\n")}).has_value());
  CHECK(Client::open({.token_file = token_file(dir, "s3cret", 0400)}).has_value());
  struct Row {
    std::string name;
    std::string content;
    mode_t mode;
  };
  const Row rows[] = {
      {"readable by the group", "s3cret", 0640},
      {"readable by all", "s3cret", 0604},
      {"writable by all", "s3cret", 0602},
      {"empty", "", 0600},
      {"white space alone", " \n", 0600},
      {"two words", "a b", 0600},
      {"two lines", "a\nb", 0600},
      {"a control character", "a\x1b", 0600},
      {"beyond ASCII", "\xc3\xa9", 0600},
      {"too long", std::string(17'000, 'a'), 0600},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(fault_of(Client::open({.token_file = token_file(dir, row.content, row.mode)})) ==
          FaultId::kConfigInvalid);
  }
  CHECK(fault_of(Client::open({.token_file = (dir / "none").string()})) ==
        FaultId::kFileUnreadable);
}

TEST_CASE("Client::open: takes a token from the variable that is named, before any file") {
  const TempDir dir;
  const auto with = [&](const char* value) {
    REQUIRE((value == nullptr ? ::unsetenv("TEST_TOKEN") : ::setenv("TEST_TOKEN", value, 1)) == 0);
    return Client::open({.token_file = (dir / "none").string(), .token_variable = "TEST_TOKEN"});
  };
  CHECK(with("s3cret").has_value());
  CHECK(fault_of(with(nullptr)) == FaultId::kConfigInvalid);
  CHECK(fault_of(with("")) == FaultId::kConfigInvalid);
  CHECK(fault_of(with("a b")) == FaultId::kConfigInvalid);
  const std::string large(17'000, 'a');
  CHECK(fault_of(with(large.c_str())) == FaultId::kConfigInvalid);
}

TEST_CASE("Client::open: takes a client certificate with its key, instead of a token") {
  const TempDir dir;
  const TestCa ca;
  const TestCa::Identity client = ca.issue("URI:spiffe://example.org/ci");
  const std::string certificate = dir.write("c.pem", client.certificate_pem).string();
  const std::string key = dir.write("c.key", client.key_pem).string();
  REQUIRE(::chmod(key.c_str(), 0600) == 0);
  const auto with = [&](const std::string& chain, const std::string& own) {
    return Client::open(
        {.token_file = (dir / "none").string(), .client_certificate = chain, .client_key = own});
  };
  CHECK(with(certificate, key).has_value());
  CHECK(fault_of(with((dir / "x").string(), key)) == FaultId::kFileUnreadable);
  CHECK(fault_of(with(certificate, (dir / "x").string())) == FaultId::kFileUnreadable);
  CHECK(fault_of(with(key, key)) == FaultId::kConfigInvalid);
  CHECK(fault_of(with(certificate, certificate)) == FaultId::kConfigInvalid);
  const std::string other = dir.write("o.key", ca.issue("DNS:x").key_pem).string();
  REQUIRE(::chmod(other.c_str(), 0600) == 0);
  const auto mixed = with(certificate, other);
  CHECK(fault_of(mixed) == FaultId::kConfigInvalid);
  CHECK(mixed.error().detail == other + ": key is not the key of the certificate");
  REQUIRE(::chmod(key.c_str(), 0640) == 0);
  const auto open = with(certificate, key);
  CHECK(fault_of(open) == FaultId::kConfigInvalid);
  CHECK(open.error().detail == key + ": others may read this key; run: chmod 600 on it");
}

TEST_CASE("Client::open: takes a CA file that holds a certificate") {
  const TempDir dir;
  CHECK(Client::open({.ca_file = DevCa::get().file("ca.pem")}).has_value());
  CHECK(fault_of(Client::open({.ca_file = dir.write("empty", "").string()})) ==
        FaultId::kConfigInvalid);
  CHECK(fault_of(Client::open({.ca_file = DevCa::get().file("server.key")})) ==
        FaultId::kConfigInvalid);
  CHECK(fault_of(Client::open({.ca_file = (dir / "none").string()})) == FaultId::kFileUnreadable);
}

TEST_CASE("Client: talks to a verifier of its own CA, and to no other") {
  FakeVerifier verifier;
  CHECK(verifier.run({"node", "list"}).exit == 0);

  const TempDir dir;
  REQUIRE(run_program({ASSAY_DEV_CA, dir.path().string()}).exit == 0);
  const Finished stranger = verifier.run({"node", "list", "--ca", (dir / "ca.pem").string()});
  CHECK(stranger.exit == 3);
  CHECK(stranger.complains_of("cannot reach the verifier at " + verifier.address()));

  const Finished system = run_assay({"node", "list", "--server", verifier.address()});
  CHECK(system.exit == 3);
  CHECK(system.complains_of("cannot reach the verifier"));
}

TEST_CASE("Client: the certificate has to hold the server's name") {
  FakeVerifier verifier;
  CHECK(verifier.run({"node", "list", "--server-name", "localhost"}).exit == 0);
  const Finished other = verifier.run({"node", "list", "--server-name", "other.example"});
  CHECK(other.exit == 3);
  CHECK(other.complains_of("cannot reach the verifier"));
}

TEST_CASE("Client: a verifier that is not there is one line and status 3") {
  const Finished got = run_assay({"node", "list", "--server", "127.0.0.1:1"});
  CHECK(got.exit == 3);
  CHECK(got.complains_of("cannot reach the verifier at 127.0.0.1:1: check that it runs"));
}

TEST_CASE("Client: a refused token is status 1, and the verifier's words are escaped") {
  FakeVerifier verifier;
  const TempDir dir;
  const Finished wrong = verifier.run({"node", "list", "--token-file", token_file(dir, "another")});
  CHECK(wrong.exit == 1);
  CHECK(wrong.complains_of("check --token-file (wrong token\\x1b[31m)"));
  const Finished none = run_assay(
      {"node", "list", "--server", verifier.address(), "--ca", DevCa::get().file("ca.pem")});
  CHECK(none.exit == 1);
  CHECK(none.complains_of("check --token-file"));
}

TEST_CASE("Client: every refusal of the verifier is status 1 and one line") {
  FakeVerifier verifier;
  for (int code = 1; code <= 16; ++code) {
    CAPTURE(code);
    verifier.refuse_with = {static_cast<grpc::StatusCode>(code), "because\nof this"};
    const Finished got = verifier.run({"node", "show", "n"});
    CHECK(got.exit == 1);
    CHECK(got.complains_of("because\\x0aof this"));
  }
}

TEST_CASE("Client: a verifier that does not answer is given up on in time") {
  FakeVerifier verifier;
  const Finished got = verifier.run({"node", "attest", FakeVerifier::kSilent, "--timeout", "1"});
  CHECK(got.exit == 1);
  CHECK(got.complains_of("no answer in time: --timeout waits longer"));
}

TEST_CASE("Client: an option that is given wins over the environment") {
  FakeVerifier verifier;
  // Every other variable of the run names the verifier that is there.
  const Finished got = verifier.run({"node", "list", "--server", "127.0.0.1:1"});
  CHECK(got.exit == 3);
  CHECK(got.complains_of("127.0.0.1:1"));
}
