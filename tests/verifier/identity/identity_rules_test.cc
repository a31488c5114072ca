#include "verifier/identity/identity_rules.h"

#include <doctest/doctest.h>

#include "core/text.h"

using namespace assay;

namespace {

TokenClaims claims_of(std::map<ClaimPath, std::string> texts) {
  return {.texts = std::move(texts)};
}

IdentityRule rule(const std::string& name, std::vector<ClaimCondition> conditions) {
  return {.names = {*NameScope::parse(name)}, .conditions = std::move(conditions)};
}

std::vector<std::string> patterns(const std::vector<NameScope>& scopes) {
  std::vector<std::string> out;
  for (const NameScope& scope : scopes) out.push_back(scope.pattern());
  return out;
}

using enum ClaimCondition::Test;

}  // namespace

TEST_CASE("admitted_names: all conditions of a rule have to hold, and any rule may") {
  const std::vector<IdentityRule> rules = {
      rule("a/", {{{"id"}, kIsOneOf, {"1", "2"}}, {{"event"}, kBeginsWithNoneOf, {"pull"}}}),
      rule("b/", {{{"id"}, kIsOneOf, {"2"}}}), rule("c/", {{{"x", "id"}, kIsOneOf, {"1"}}})};
  const auto names = [&](std::map<ClaimPath, std::string> texts) {
    return patterns(admitted_names(rules, claims_of(std::move(texts))));
  };
  using List = std::vector<std::string>;
  CHECK(names({{{"id"}, "1"}, {{"event"}, "push"}}) == List{"a/"});
  CHECK(names({{{"id"}, "2"}, {{"event"}, "push"}}) == List{"a/", "b/"});
  CHECK(names({{{"id"}, "2"}, {{"event"}, "pull_request"}}) == List{"b/"});
  CHECK(names({{{"x", "id"}, "1"}}) == List{"c/"});
}

TEST_CASE("admitted_names: what a token does not say admits it nowhere") {
  const std::vector<IdentityRule> rules = {
      rule("a/", {{{"id"}, kIsOneOf, {"1"}}, {{"event"}, kBeginsWithNoneOf, {"pull"}}})};
  for (const auto& texts : std::initializer_list<std::map<ClaimPath, std::string>>{
           {},
           {{{"id"}, "1"}},
           {{{"event"}, "push"}},
           {{{"id"}, ""}, {{"event"}, "push"}},
           {{{"id"}, "11"}, {{"event"}, "push"}},
           {{{"ID"}, "1"}, {{"event"}, "push"}},
           {{{"id", "id"}, "1"}, {{"event"}, "push"}}}) {
    CHECK(admitted_names(rules, claims_of(texts)).empty());
  }
  CHECK(admitted_names({}, claims_of({{{"id"}, "1"}})).empty());
}

TEST_CASE("identity_name: who it is, in few printable bytes") {
  CHECK(identity_name(IdentityKind::kGithub,
                      claims_of({{{"repository_id"}, "74"}, {{"run_id"}, "3"}, {{"sub"}, "x"}})) ==
        "github:repository_id=74 run_id=3");
  CHECK(identity_name(IdentityKind::kGitlab,
                      claims_of({{{"project_id"}, "20"}, {{"job_id"}, "302"}})) ==
        "gitlab:project_id=20 job_id=302");
  CHECK(identity_name(IdentityKind::kKubernetes,
                      claims_of({{{"kubernetes.io", "namespace"}, "ci"},
                                 {{"kubernetes.io", "serviceaccount", "name"}, "pusher"},
                                 {{"kubernetes.io", "serviceaccount", "uid"}, "14ee"}})) ==
        "kubernetes:namespace=ci serviceaccount.name=pusher serviceaccount.uid=14ee");
  const std::string odd = identity_name(
      IdentityKind::kKubernetes,
      claims_of({{{"kubernetes.io", "namespace"}, "a\nb\xff"},
                 {{"kubernetes.io", "serviceaccount", "name"}, std::string(5000, 'x')},
                 {{"kubernetes.io", "serviceaccount", "uid"}, std::string(5000, '\0')}}));
  CHECK(odd.starts_with("kubernetes:namespace=a\\x0ab\\xff "));
  CHECK(odd.size() <= 256);
  CHECK(is_printable(odd));
}
