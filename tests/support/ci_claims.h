// What the tokens of CI systems say, as their documentation shows it.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace assay::testing {

inline constexpr const char* kGithubIssuer = "https://token.actions.githubusercontent.com";
inline constexpr const char* kAudience = "assay.example";

// Of a token of one hour that was issued at `now`, in seconds since 1970.
inline nlohmann::json times(std::int64_t now) {
  return {{"iat", now}, {"nbf", now}, {"exp", now + 3600}};
}

inline nlohmann::json github_claims(std::int64_t now) {
  nlohmann::json out = times(now);
  out.update({{"jti", "4a1b-0001"},
              {"sub", "repo:octo/shop:ref:refs/heads/main"},
              {"iss", kGithubIssuer},
              {"aud", kAudience},
              {"ref", "refs/heads/main"},
              {"sha", "f2a1"},
              {"repository", "octo/shop"},
              {"repository_id", "74"},
              {"repository_owner", "octo"},
              {"repository_owner_id", "65"},
              {"run_id", "30433642"},
              {"run_attempt", "1"},
              {"event_name", "push"},
              {"environment", "release"},
              {"job_workflow_ref", "octo/shop/.github/workflows/w.yml@refs/heads/main"}});
  return out;
}

inline nlohmann::json gitlab_claims(std::int64_t now) {
  nlohmann::json out = times(now);
  out.update({{"jti", "c82e-0001"},
              {"sub", "project_path:octo/shop:ref_type:branch:ref:main"},
              {"iss", "https://gitlab.example"},
              {"aud", kAudience},
              {"namespace_id", "72"},
              {"namespace_path", "octo"},
              {"project_id", "20"},
              {"project_path", "octo/shop"},
              {"job_id", "302"},
              {"ref", "main"},
              {"ref_type", "branch"},
              {"ref_protected", "true"},
              {"environment", "release"},
              {"ci_config_ref_uri", "gitlab.example/octo/shop//.gitlab-ci.yml@refs/heads/main"}});
  return out;
}

inline nlohmann::json kubernetes_claims(std::int64_t now) {
  nlohmann::json out = times(now);
  out.update({{"jti", "9d1c-0001"},
              {"sub", "system:serviceaccount:ci:pusher"},
              {"iss", "https://kubernetes.default.svc"},
              {"aud", {kAudience}},
              {"kubernetes.io",
               {{"namespace", "ci"},
                {"pod", {{"name", "build-7"}, {"uid", "5c1d"}}},
                {"serviceaccount", {{"name", "pusher"}, {"uid", "14ee"}}},
                {"warnafter", now + 3000}}}});
  return out;
}

}  // namespace assay::testing
