#include "verifier/config.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"
#include "tests/support/temp_dir.h"
#include "verifier/secret_file.h"
#include "verifier/services/operator_token.h"

using namespace assay;
using namespace assay::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kMinimal =
    "tls: {certificate: cert.pem, key: key.pem}\noperator_token_file: token\n";

Result<VerifierConfig> load(const TempDir& dir, std::string_view more) {
  return load_config(dir.write("verifier.yaml", std::string(kMinimal) + std::string(more)));
}

}  // namespace

TEST_CASE("load_config: what is not said has a safe default") {
  const TempDir dir;
  const auto got = load(dir, "");
  REQUIRE(got.has_value());
  CHECK(got->grpc_listen == ListenAddress{"127.0.0.1", 7443});
  CHECK(got->http_listen == ListenAddress{"127.0.0.1", 7480});
  CHECK(got->interval == 30s);
  CHECK(got->golden_signers.empty());
  CHECK(got->golden_identities.empty());
  CHECK(got->golden_clients.empty());
  CHECK(got->golden_pushed == GoldenState::kApproved);
  CHECK(got->golden_grace == 1h);
  CHECK(load(dir, "golden: {grace: 0s}\n")->golden_grace == 0s);
  CHECK(got->policy_file.empty());
  CHECK(got->vendor_roots.empty());
  CHECK(got->tls_certificate == dir / "cert.pem");
  CHECK(got->database == "/var/lib/assay/assay.db");
}

TEST_CASE("load_config: everything that can be said is read") {
  const TempDir dir;
  const auto got = load(dir,
                        "grpc_listen: 0.0.0.0:1\nhttp_listen: 127.0.0.1:0\ndatabase: /tmp/x.db\n"
                        "interval: 500ms\npolicy_file: p.yaml\nvendor_roots: /roots\n"
                        "limits: {log_mib: 2, streams: 7}\n"
                        "golden: {pushed: draft, grace: 2m, signers: [\n"
                        "  {names: [shop/, base], keys: [a.pub, /b.pub], threshold: 2}],\n"
                        "  clients: [{ca_file: ci.pem, rules: [{names: [a], dns: b}]}],\n"
                        "  identities: [{kind: gitlab, issuer: 'https://i', audience: a,\n"
                        "    jwks_file: keys.json, rules: [{names: [a], project_id: 1}]}]}\n"
                        "webhooks:\n- {name: a, url: 'http://h/', secret_file: s}\n"
                        "- {name: b, url: 'https://h/', secret_file: /s, ca_file: c}\n");
  REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
  CHECK(got->interval == 500ms);
  CHECK(got->policy_file == dir / "p.yaml");
  CHECK(got->vendor_roots == "/roots");
  CHECK(got->max_log_bytes == 2 << 20);
  CHECK(got->max_streams == 7);
  CHECK(got->golden_pushed == GoldenState::kDraft);
  CHECK(got->golden_grace == 2min);
  REQUIRE(got->golden_signers.size() == 1);
  CHECK(got->golden_signers[0].names[1].pattern() == "base");
  CHECK(got->golden_signers[0].key_files ==
        std::vector<std::filesystem::path>{dir / "a.pub", "/b.pub"});
  CHECK(got->golden_signers[0].threshold == 2);
  REQUIRE(got->golden_identities.size() == 1);
  CHECK(got->golden_identities[0].jwks_file == dir / "keys.json");
  REQUIRE(got->golden_clients.size() == 1);
  CHECK(got->golden_clients[0].ca_file == dir / "ci.pem");
  REQUIRE(got->webhooks.size() == 2);
  CHECK(got->webhooks[0].secret_file == dir / "s");
  CHECK(got->webhooks[1].secret_file == "/s");
}

TEST_CASE("load_config: what is wrong is named with its line and what would be right") {
  const TempDir dir;
  const std::pair<std::string, std::string> rows[] = {
      {"intervall: 30s\n",
       "line 3: unknown key 'intervall'; known are database, golden, grpc_listen"},
      {"tls: {certificate: x}\n", "line 3: key 'tls' twice"},
      {"golden: {pushed: revoked}\n", "line 3: golden: pushed: write approved or draft"},
      {"golden: {grace: 1 day}\n", "golden: grace: write a duration such as"},
      {"golden: {signers: [{names: ['shop/*'], keys: [k]}]}\n", "or *"},
      {"golden: {signers: []}\n", "name who signs, or leave the key out"},
      {"golden: {signers: }\n", "has to be a list"},
      {"golden: {signers: [{names: [], keys: [k]}]}\n", "names and keys are required"},
      {"golden: {signers: [{names: [a], keys: []}]}\n", "names and keys are required"},
      {"golden: {signers: [{names: [a], keys: [k], threshold: 0}]}\n", "from 1 to 16"},
      {"golden: {identities: [{kind: github, issuer: 'https://i', audience: a, rules: [{}]}]}\n",
       "line 3: golden: identities: rules: of github needs names"},
      {"grpc_listen: localhost\n", "line 3: grpc_listen: write HOST:PORT"},
      {"interval: 30\n", "line 3: interval: write a duration such as 500ms, 30s or 5m"},
      {"interval: 0s\n", "line 3: interval: write a duration"},
      {"interval: [1]\n", "line 3: interval: has to be one value"},
      {"limits: yes\n", "line 3: limits: has to be a mapping of keys"},
      {"limits: {log_mib: 0}\n", "write a whole number from 1 to 1024"},
      {"limits: {log_mib: -1}\n", "write a whole number from 1 to 1024"},
      {"webhooks: {}\n", "line 3: webhooks: has to be a list"},
      {"webhooks: [{name: a, url: u}]\n", "name, url and secret_file are required"},
      {"webhooks: [{name: a, url: u, secret_file: s}, {name: a, url: u, secret_file: s}]\n",
       "name 'a' twice"},
      {"a: [\n", "is not YAML"},
  };
  for (const auto& [text, want] : rows) {
    CAPTURE(text);
    const auto got = load(dir, text);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == FaultId::kConfigInvalid);
    CHECK_MESSAGE(got.error().detail.find(want) != std::string::npos, got.error().detail);
    CHECK(got.error().detail.starts_with((dir / "verifier.yaml").string()));
  }
}

TEST_CASE(
    "load_config: a required key that is missing is named, and a missing file is another fault") {
  const TempDir dir;
  const auto got = load_config(dir.write("x.yaml", "interval: 30s\n"));
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().detail.ends_with("tls.certificate is required"));
  CHECK(fault_of(load_config(dir / "none.yaml")) == FaultId::kFileUnreadable);
  CHECK(fault_of(load_config(dir.write("empty.yaml", ""))) == FaultId::kConfigInvalid);
}

TEST_CASE("read_secret_file: a secret that others may read is refused") {
  const TempDir dir;
  const auto path = dir.write("secret", "s3cret\n");
  std::filesystem::permissions(path, std::filesystem::perms(0640));
  CHECK(fault_of(read_secret_file(path)) == FaultId::kFileUnreadable);
  CHECK(read_public_file(path).value() == "s3cret");
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  CHECK(read_secret_file(path).value() == "s3cret");
  CHECK(fault_of(read_secret_file(dir / "none")) == FaultId::kFileUnreadable);
  CHECK(fault_of(read_secret_file(dir.path())) == FaultId::kFileUnreadable);
}

TEST_CASE("OperatorToken: accepts its own token as a bearer, and nothing else") {
  const std::string token(64, 'a');
  const OperatorToken operators(token);
  CHECK(operators.accepts("Bearer " + token));
  for (const std::string& wrong : {token, "Bearer " + token + "a", "Bearer " + std::string(63, 'a'),
                                   "bearer " + token, std::string("Bearer "), std::string()}) {
    CHECK_FALSE(operators.accepts(wrong));
  }
  const TempDir dir;
  const auto path = dir.write("token", "short\n");
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  CHECK(fault_of(OperatorToken::load(path)) == FaultId::kConfigInvalid);
  std::ofstream(path) << token << "\n";
  CHECK(OperatorToken::load(path)->accepts("Bearer " + token));
}

TEST_CASE("parse_listen_address: reads names and addresses with a port, and nothing else") {
  CHECK(parse_listen_address("127.0.0.1:7443") == ListenAddress{"127.0.0.1", 7443});
  CHECK(parse_listen_address("[::1]:0") == ListenAddress{"::1", 0});
  CHECK(format_listen_address({"::1", 5}) == "[::1]:5");
  CHECK(format_listen_address({"h", 5}) == "h:5");
  for (const std::string bad : {"", "h", "h:", ":1", "h:65536", "h:1x", "::1:5", "[h]:1", "h:-1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_listen_address(bad).has_value());
  }
}
