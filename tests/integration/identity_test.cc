// CI jobs that push with the identity tokens of their own system: the real verifier, the real command
// line, and issuers of the test's own.
#include <doctest/doctest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "tests/integration/running_verifier.h"
#include "tests/support/ci_claims.h"
#include "tests/support/golden_file.h"
#include "tests/support/temp_dir.h"
#include "tests/support/token_signer.h"
#include "tests/verifier/identity/issuer_server.h"

using namespace assay;
using namespace assay::testing;
using nlohmann::json;

namespace {

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string set_file(const TempDir& dir, const std::string& name, const std::string& content) {
  const GoldenSet set{.name = name, .source = "rootfs", .files = {file("/bin/a", content)}};
  return dir.write(content + ".json", format_golden_set(set)).string();
}

Finished push(const RunningVerifier& verifier, const std::string& token, Arguments arguments) {
  arguments.insert(arguments.begin(), {"golden", "push"});
  arguments.insert(arguments.end(), {"--token-env", "ASSAY_ID_TOKEN", "--json"});
  return run_assay(arguments, {{"ASSAY_SERVER", verifier.address()},
                               {"ASSAY_CA", verifier.ca_file().string()},
                               {"ASSAY_ID_TOKEN", token}});
}

bool refused(const Finished& got, const std::string& fault) {
  const bool said = got.exit == 1 && got.err.find(fault) != std::string::npos;
  if (!said) MESSAGE(got.exit, " ", got.err);
  return said;
}

std::string token_of(const TokenSigner& signer, const std::string& kid, const json& claims) {
  return signer.token(signer.header(kid), claims.dump());
}

json with(json claims, const std::string& name, const json& value) {
  claims[name] = value;
  return claims;
}

}  // namespace

TEST_CASE("assay golden push: a GitHub job pushes its names with its token, by a file of keys") {
  const TokenSigner github = TokenSigner::rsa();
  RunningVerifier verifier(RunningVerifier::Options{
      .more = std::string("golden: {identities: [{kind: github, issuer: '") + kGithubIssuer +
              "',\n  audience: " + kAudience +
              ", jwks_file: keys.json, rules: [\n"
              "  {names: [shop/], repository_id: 74, repository_owner_id: 65}]}]}\n",
      .files = {{"keys.json", TokenSigner::key_set(github.jwk("k1"))}}});
  const TempDir dir;
  const json claims = github_claims(now_seconds());
  const std::string token = token_of(github, "k1", claims);
  const std::string web = set_file(dir, "shop/web", "web");

  const Finished pushed = push(verifier, token, {web});
  REQUIRE_MESSAGE(pushed.exit == 0, pushed.err);
  CHECK(pushed.json()["set"]["pushed_by"] == "github:repository_id=74 run_id=30433642");
  CHECK(push(verifier, token, {set_file(dir, "shop/db", "db")}).exit == 0);  // another of its sets
  CHECK(refused(push(verifier, token, {set_file(dir, "host/x", "host")}), "golden.name_refused"));

  // The operator has put another set in its place: who has seen the token brings nothing back.
  REQUIRE(verifier.assay({"golden", "push", set_file(dir, "shop/web", "newer")}).exit == 0);
  const Finished again = push(verifier, token, {web});
  REQUIRE_MESSAGE(again.exit == 0, again.err);
  CHECK(again.json()["changed"] == false);
  CHECK(verifier.assay({"golden", "show", "shop/web", "--json"}).json()["set"]["generation"] == 2);
  CHECK(refused(push(verifier, token, {web, "--idempotency-key", "other"}), "identity.replayed"));
  CHECK(refused(push(verifier, token, {set_file(dir, "shop/web", "evil")}), "identity.replayed"));

  const auto with_claims = [&](const json& changed) {
    return push(verifier, token_of(github, "k1", changed), {web});
  };
  CHECK(refused(with_claims(with(claims, "repository_id", "75")), "identity.refused"));
  CHECK(refused(with_claims(with(claims, "event_name", "pull_request")), "identity.refused"));
  CHECK(refused(with_claims(with(claims, "aud", "other")), "identity.audience"));
  CHECK(refused(with_claims(with(claims, "exp", now_seconds() - 61)), "identity.expired"));
  CHECK(refused(with_claims(with(claims, "iss", "https://x")), "identity.issuer"));
  CHECK(refused(push(verifier, token_of(TokenSigner::rsa(), "k1", claims), {web}),
                "identity.signature"));
  CHECK(refused(push(verifier, token_of(github, "k2", claims), {web}), "identity.key_unknown"));
  CHECK(refused(push(verifier, token_of(TokenSigner::ec(), "k1", claims), {web}),
                "identity.algorithm"));
  CHECK(refused(push(verifier, token.substr(0, token.size() - 300), {web}), "identity."));
  // It is a push token and no more.
  CHECK(refused(
      run_assay({"golden", "list", "--token-env", "T"}, {{"ASSAY_SERVER", verifier.address()},
                                                         {"ASSAY_CA", verifier.ca_file().string()},
                                                         {"T", token}}),
      "request.unauthenticated"));

  // A large token comes through, and one that is too large is refused by the command line.
  const json large = with(with(claims, "jti", "large"), "x", std::string(11'000, 'x'));
  CHECK(push(verifier, token_of(github, "k1", large), {set_file(dir, "shop/l", "l")}).exit == 0);
  CHECK(push(verifier, std::string(20'000, 'e'), {web}).exit == 3);

  const json audit = verifier.assay({"audit", "list", "--json"}).json()["entries"];
  CHECK(audit[0]["actor"] == "github:repository_id=74 run_id=30433642");
  CHECK(verifier.log().find(token) == std::string::npos);
}

TEST_CASE("assay golden push: a workload pushes its names with its client certificate") {
  const TestCa ca;
  const TestCa::Identity client = ca.issue("URI:spiffe://example.org/ci/shop");
  RunningVerifier verifier(RunningVerifier::Options{
      .more = "golden: {clients: [{ca_file: ci.pem, rules: [\n"
              "  {names: [shop/], uri: 'spiffe://example.org/ci/shop'}]}]}\n",
      .files = {{"ci.pem", ca.certificate_pem()}}});
  const TempDir dir;
  const auto push_as = [&](const TestCa::Identity& who, const std::string& set) {
    const auto key = dir.write("svid.key", who.key_pem);
    std::filesystem::permissions(key, std::filesystem::perms(0600));
    return run_assay(
        {"golden", "push", set, "--json", "--client-certificate",
         dir.write("svid.pem", who.certificate_pem).string(), "--client-key", key.string()},
        {{"ASSAY_SERVER", verifier.address()},
         {"ASSAY_CA", verifier.ca_file().string()},
         {"ASSAY_TOKEN_FILE", (dir / "none").string()}});
  };
  const std::string web = set_file(dir, "shop/web", "web");
  const Finished pushed = push_as(client, web);
  REQUIRE_MESSAGE(pushed.exit == 0, pushed.err);
  CHECK(pushed.json()["set"]["pushed_by"] == "certificate:spiffe://example.org/ci/shop");
  CHECK(refused(push_as(client, set_file(dir, "host/x", "host")), "golden.name_refused"));
  CHECK(refused(push_as(ca.issue("URI:spiffe://example.org/ci"), web), "identity.refused"));
  CHECK(refused(push_as(ca.issue("IP:127.0.0.1"), web), "identity.certificate_unfit"));
  CHECK(refused(push_as(TestCa().issue("URI:spiffe://example.org/ci/shop"), web),
                "identity.certificate_untrusted"));
  // It pushes and no more; who has none is not asked for one in vain.
  CHECK(refused(run_assay({"golden", "list"}, {{"ASSAY_SERVER", verifier.address()},
                                               {"ASSAY_CA", verifier.ca_file().string()}}),
                "request.unauthenticated"));
  CHECK(verifier.assay({"golden", "list"}).exit == 0);
  const json audit = verifier.assay({"audit", "list", "--json"}).json()["entries"];
  CHECK(audit[0]["actor"] == "certificate:spiffe://example.org/ci/shop");
}

TEST_CASE("assay golden push: a client certificate is for nobody of whom the verifier knows none") {
  const TestCa ca;
  const TestCa::Identity client = ca.issue("URI:spiffe://example.org/ci/shop");
  RunningVerifier verifier;
  const TempDir dir;
  const auto key = dir.write("svid.key", client.key_pem);
  std::filesystem::permissions(key, std::filesystem::perms(0600));
  CHECK(refused(
      verifier.assay({"golden", "push", set_file(dir, "shop/web", "web"), "--client-certificate",
                      dir.write("svid.pem", client.certificate_pem).string(), "--client-key",
                      key.string()}),
      "request.unauthenticated"));
}

TEST_CASE("assay golden push: keys are fetched from the issuer, and followed when they change") {
  IssuerServer issuer;
  const TokenSigner first = TokenSigner::ec();
  const TokenSigner second = TokenSigner::ec();
  issuer.publish(TokenSigner::key_set(first.jwk("k1")));
  RunningVerifier verifier(
      RunningVerifier::Options{.more = "golden: {identities: [{kind: gitlab, issuer: '" +
                                       issuer.issuer() + "',\n  audience: " + kAudience +
                                       ", algorithm: ES256, ca_file: issuer.pem, rules: [\n"
                                       "  {names: [shop/], project_id: 20}]}]}\n",
                               .files = {{"issuer.pem", read_file(issuer.ca_file())}}});
  const TempDir dir;
  const auto token = [&](const TokenSigner& signer, const std::string& kid,
                         const std::string& jti) {
    json claims = gitlab_claims(now_seconds());
    claims["iss"] = issuer.issuer();
    claims["jti"] = jti;
    return token_of(signer, kid, claims);
  };
  const std::string web = set_file(dir, "shop/web", "web");
  CHECK(eventually([&] { return push(verifier, token(first, "k1", "1"), {web}).exit == 0; }));

  issuer.publish(TokenSigner::key_set(second.jwk("k2")));
  CHECK(eventually([&] { return push(verifier, token(second, "k2", "2"), {web}).exit == 0; }));
  CHECK(refused(push(verifier, token(first, "k1", "3"), {web}), "identity.key_unknown"));
  // Each push has asked; the issuer was not asked as often.
  CHECK(issuer.asked().size() <= 8);
  const std::string up = "assay_identity_keys_up{issuer=\"" + issuer.issuer() + "\"}";
  CHECK(verifier.metric(up) == 1);

  issuer.fail();
  CHECK(eventually([&] {
    return push(verifier, token(first, "k3", "4"), {web}).err.find("identity.keys_unavailable") !=
           std::string::npos;
  }));
  CHECK(push(verifier, token(second, "k2", "5"), {web}).exit == 0);
  CHECK(eventually(
      [&] { return verifier.log().find("event=identity_keys_failed") != std::string::npos; }));
  CHECK(verifier.metric(up) == 0);
  verifier.stop();
}

TEST_CASE("assay-verifier: an issuer that hangs stops neither other pushes nor the verifier") {
  std::atomic<bool> release = false;
  IssuerServer issuer;
  issuer.answer(issuer.discovery_path(), [&](httplib::Response& response) {
    eventually([&] { return release.load(); });
    response.status = 503;
  });
  RunningVerifier verifier(RunningVerifier::Options{
      .more = "golden: {identities: [{kind: gitlab, issuer: '" + issuer.issuer() +
              "',\n  audience: a, ca_file: issuer.pem, rules: [{names: [x], project_id: 1}]}]}\n",
      .files = {{"issuer.pem", read_file(issuer.ca_file())}}});
  const TempDir dir;
  const TokenSigner signer = TokenSigner::rsa();
  json claims = gitlab_claims(now_seconds());
  claims["iss"] = issuer.issuer();
  const std::string set = set_file(dir, "x", "x");
  CHECK(refused(push(verifier, token_of(signer, "k", claims), {set}), "identity.keys_unavailable"));
  CHECK(verifier.assay({"golden", "push", set}).exit == 0);
  const auto before = std::chrono::steady_clock::now();
  CHECK(verifier.stop() == 0);
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(8));
  release = true;
}

TEST_CASE("assay-verifier --check-config: keys that cannot be used are found before the start") {
  const TempDir dir;
  RunningVerifier verifier;
  const auto check = [&](const std::string& keys) {
    std::ofstream(verifier.dir() / "keys.json") << keys;
    std::ofstream(verifier.dir() / "check.yaml")
        << read_file(verifier.config())
        << "golden: {identities: [{kind: gitlab, issuer: i, audience: a, jwks_file: keys.json,\n"
           "  rules: [{names: [x], project_id: 1}]}]}\n";
    return run_program({ASSAY_VERIFIER_PROGRAM, "--config",
                        (verifier.dir() / "check.yaml").string(), "--check-config"});
  };
  const TokenSigner signer = TokenSigner::rsa();
  CHECK(check(TokenSigner::key_set(signer.jwk("k"))).exit == 0);
  const Finished twice = check(TokenSigner::key_set(signer.jwk("k") + ',' + signer.jwk("k")));
  CHECK(twice.exit == 2);
  CHECK(twice.err.find("identity.keys_malformed") != std::string::npos);
}
