#include "verifier/identity/identity_settings.h"

#include <doctest/doctest.h>

#include "tests/support/ci_claims.h"
#include "tests/support/fault_of.h"

using namespace assay;
using namespace assay::testing;

namespace {

Result<std::vector<IdentitySettings>> read(const std::string& yaml) {
  ASSAY_TRY(const YAML::Node node, parse_yaml(yaml));
  std::vector<IdentitySettings> out;
  ASSAY_OK(identities(out, "/etc/assay")(node));
  return out;
}

std::string issuer(const std::string& kind, const std::string& rule) {
  return "[{kind: " + kind + ", issuer: 'https://i', audience: a, rules: [{" + rule + "}]}]";
}

TokenClaims claims_of(const nlohmann::json& json) {
  TokenClaims out;
  for (const auto& [name, value] : json.items()) {
    if (value.is_string()) out.texts[{name}] = value;
  }
  if (const auto k8s = json.find("kubernetes.io"); k8s != json.end()) {
    out.texts[{"kubernetes.io", "namespace"}] = k8s->at("namespace");
    for (const char* name : {"name", "uid"}) {
      out.texts[{"kubernetes.io", "serviceaccount", name}] = k8s->at("serviceaccount").at(name);
    }
  }
  return out;
}

// Whether the rule admits the claims, once `name` of them is `value`, or is missing.
struct Change {
  const char* name;
  const char* value;  // null: missing
  bool admitted;
};

void check_changes(const std::string& yaml, const nlohmann::json& claims,
                   const std::vector<Change>& changes) {
  const auto got = read(yaml);
  REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
  const std::vector<IdentityRule>& rules = (*got)[0].rules;
  CHECK_FALSE(admitted_names(rules, claims_of(claims)).empty());
  for (const Change& change : changes) {
    CAPTURE(std::string(change.name));
    nlohmann::json changed = claims;
    if (change.value == nullptr) {
      changed.erase(change.name);
    } else {
      changed[change.name] = change.value;
    }
    CHECK(admitted_names(rules, claims_of(changed)).empty() != change.admitted);
  }
}

}  // namespace

TEST_CASE("identities: everything that can be said is read") {
  const auto got = read(
      "- {kind: gitlab, issuer: 'https://gitlab.example', audience: assay, algorithm: ES256,\n"
      "   ca_file: ca.pem, rules: [{names: [shop/, base], project_id: 20}]}\n"
      "- {rules: [{names: ['*'], namespace: ci, service_account: p, service_account_uid: u}],\n"
      "   kind: kubernetes, issuer: kubernetes/serviceaccount, audience: x, jwks_file: /keys}\n");
  REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
  REQUIRE(got->size() == 2);
  const IdentitySettings& gitlab = (*got)[0];
  CHECK(gitlab.kind == IdentityKind::kGitlab);
  CHECK(gitlab.trust.issuer == "https://gitlab.example");
  CHECK(gitlab.trust.audience == "assay");
  CHECK(gitlab.trust.algorithm == TokenAlgorithm::kEs256);
  CHECK(gitlab.ca_file == "/etc/assay/ca.pem");
  CHECK(gitlab.jwks_file.empty());
  CHECK(gitlab.rules[0].names[1].pattern() == "base");
  CHECK((*got)[1].trust.algorithm == TokenAlgorithm::kRs256);
  CHECK((*got)[1].jwks_file == "/keys");
}

TEST_CASE("identities: a rule of github is for one repository, and for no pull request") {
  const nlohmann::json claims = github_claims(0);
  const std::string ids = "names: [a], repository_id: 74, repository_owner_id: 65";
  check_changes(issuer("github", ids), claims,
                {{"repository_id", "75", false},
                 {"repository_id", nullptr, false},
                 {"repository_owner_id", "66", false},
                 {"repository_owner_id", nullptr, false},
                 {"repository", "octo/renamed", true},
                 {"sub", "repo:octo@65/shop@74:ref:refs/heads/main", true},
                 {"event_name", "pull_request", false},
                 {"event_name", "pull_request_target", false},
                 {"event_name", "pull_request_review", false},
                 {"event_name", nullptr, false},
                 {"event_name", "workflow_dispatch", true},
                 {"ref", "refs/heads/x", true}});
  // Renamed, and another one under the old name: the id is another.
  nlohmann::json squatted = claims;
  squatted["repository_id"] = "9000";
  CHECK(admitted_names((*read(issuer("github", ids)))[0].rules, claims_of(squatted)).empty());
  check_changes(issuer("github", ids + ", events: [push, pull_request]"), claims,
                {{"event_name", "pull_request", true},
                 {"event_name", "pull_request_target", false},
                 {"event_name", "schedule", false},
                 {"event_name", nullptr, false}});
  check_changes(
      issuer("github", ids + ", ref: refs/heads/main, environment: release, job_workflow_ref: "
                             "octo/shop/.github/workflows/w.yml@refs/heads/main"),
      claims,
      {{"ref", "refs/heads/x", false},
       {"ref", nullptr, false},
       {"environment", "test", false},
       {"environment", nullptr, false},
       {"job_workflow_ref", "octo/shop/.github/workflows/w.yml@refs/heads/x", false},
       {"job_workflow_ref", nullptr, false}});
}

TEST_CASE("identities: a rule of gitlab is for a project or a namespace, and for protected refs") {
  const nlohmann::json claims = gitlab_claims(0);
  check_changes(issuer("gitlab", "names: [a], project_id: 20"), claims,
                {{"project_id", "21", false},
                 {"project_id", nullptr, false},
                 {"namespace_id", "1", true},
                 {"project_path", "octo/renamed", true},
                 {"ref_protected", "false", false},
                 {"ref_protected", nullptr, false}});
  check_changes(
      issuer("gitlab", "names: [a], namespace_id: 72, unprotected_refs: true"), claims,
      {{"ref_protected", "false", true}, {"namespace_id", "7", false}, {"project_id", "21", true}});
  check_changes(
      issuer("gitlab",
             "names: [a], project_id: 20, ref: main, ref_type: branch, environment: release, "
             "ci_config_ref_uri: gitlab.example/octo/shop//.gitlab-ci.yml@refs/heads/main"),
      claims,
      {{"ref", "other", false},
       {"ref_type", "tag", false},
       {"environment", "x", false},
       {"ci_config_ref_uri", "gitlab.example/evil//x.yml@refs/heads/main", false}});
}

TEST_CASE("identities: a rule of kubernetes is for one service account, and not its successor") {
  const std::string yaml =
      issuer("kubernetes",
             "names: [a], namespace: ci, service_account: pusher, service_account_uid: 14ee");
  const nlohmann::json claims = kubernetes_claims(0);
  check_changes(yaml, claims, {{"sub", "system:serviceaccount:other:x", true}});
  const std::vector<IdentityRule> rules = (*read(yaml))[0].rules;
  for (const char* path : {"/kubernetes.io/namespace", "/kubernetes.io/serviceaccount/name",
                           "/kubernetes.io/serviceaccount/uid"}) {
    CAPTURE(std::string(path));
    nlohmann::json changed = claims;
    changed[nlohmann::json::json_pointer(path)] = "other";
    CHECK(admitted_names(rules, claims_of(changed)).empty());
  }
}

TEST_CASE("identities: what is wrong is named, and so is what would be right") {
  const std::string ids = "names: [a], repository_id: 1, repository_owner_id: 2";
  const std::string rules = "rules: [{" + ids + "}]";
  const std::pair<std::string, std::string> rows[] = {
      {"{}", "has to be a list"},
      {"[{issuer: 'https://i', audience: a, " + rules + "}]", "are required"},
      {"[{kind: github, audience: a, " + rules + "}]", "are required"},
      {"[{kind: github, issuer: 'https://i', " + rules + "}]", "are required"},
      {"[{kind: github, issuer: 'https://i', audience: a}]", "are required"},
      {"[{kind: github, issuer: 'https://i', audience: a, rules: []}]", "are required"},
      {"[{kind: bitbucket}]", "write github, gitlab or kubernetes"},
      {"[{kind: github, algorithm: HS256}]", "write RS256 or ES256"},
      {"[{kind: github, algorithm: none}]", "write RS256 or ES256"},
      {"[{kind: github, issuer: 'http://i', audience: a, " + rules + "}]", "a jwks_file"},
      {"[{kind: github, issuer: 'https://i', audience: 'a b', " + rules + "}]", "printable"},
      {"[{kind: github, issuer: 'https://i', audience: a, jwks_file: k, ca_file: c, " + rules +
           "}]",
       "leave one out"},
      {"[{kind: github, issuer: 'https://i', audience: a, " + rules +
           "}, {kind: github, issuer: 'https://i', audience: b, " + rules + "}]",
       "an issuer twice"},
      {issuer("github", "repository_id: 1, repository_owner_id: 2"), "of github needs names"},
      {issuer("github", "names: [], repository_id: 1, repository_owner_id: 2"), "needs names"},
      {issuer("github", "names: [a]"), "needs repository_id and repository_owner_id"},
      {issuer("github", "names: [a], repository_id: 1"), "needs repository_id and"},
      {issuer("github", "names: [a], repository_owner_id: 1"), "needs repository_id and"},
      {issuer("github", "names: [a], ref: refs/heads/main, environment: e"), "needs repository_id"},
      {issuer("github", "names: [a], repository_id: octo/shop, repository_owner_id: 2"),
       "write the number: a name can be given to others"},
      {issuer("github", ids + ", sub: x"), "unknown key 'sub'"},
      {issuer("github", ids + ", repository: octo/shop"), "unknown key 'repository'"},
      {issuer("github", ids + ", project_id: 1"), "unknown key 'project_id'"},
      {issuer("github", ids + ", events: push"), "has to be a list"},
      {issuer("github", ids + ", repository_id: 2"), "'repository_id' twice"},
      {issuer("github", "names: ['a*'], repository_id: 1, repository_owner_id: 2"), "or *"},
      {issuer("gitlab", "names: [a], ref: main"), "needs project_id or namespace_id"},
      {issuer("gitlab", "names: [a], project_id: 1, events: [push]"), "unknown key 'events'"},
      {issuer("kubernetes", "names: [a], namespace: ci, service_account: x"),
       "needs namespace and service_account and service_account_uid"},
      {issuer("kubernetes", "names: [a], namespace: ci, service_account_uid: x"),
       "needs namespace and"},
  };
  for (const auto& [yaml, want] : rows) {
    CAPTURE(yaml);
    const auto got = read(yaml);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == FaultId::kConfigInvalid);
    CHECK_MESSAGE(got.error().detail.find(want) != std::string::npos, got.error().detail);
  }
}
