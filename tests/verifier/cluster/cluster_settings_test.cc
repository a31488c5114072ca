#include "verifier/cluster/cluster_settings.h"

#include <doctest/doctest.h>

using namespace assay;

namespace {

Result<KubernetesApi> read(const std::string& yaml) {
  ASSAY_TRY(const YAML::Node node, parse_yaml(yaml));
  KubernetesApi out;
  ASSAY_OK(kubernetes_api(out, "/etc/assay")(node));
  return out;
}

}  // namespace

TEST_CASE("kubernetes_api: an address and two files") {
  const auto got =
      read("{api: 'https://kubernetes.default.svc', ca_file: ca.crt, token_file: /run/token}");
  REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
  CHECK(got->url == "https://kubernetes.default.svc");
  CHECK(got->ca_file == "/etc/assay/ca.crt");
  CHECK(got->token_file == "/run/token");
}

TEST_CASE("kubernetes_api: what is missing or could not be trusted is refused with its line") {
  struct Row {
    std::string yaml;
    std::string want;
  };
  const Row rows[] = {
      {"{ca_file: c, token_file: t}",
       "line 1: kubernetes: api, ca_file and token_file are required"},
      {"\n\napi: https://k\ntoken_file: t", "line 3: kubernetes: api, ca_file and token_file"},
      {"{api: 'https://k', ca_file: c}", "line 1: kubernetes: api, ca_file and token_file"},
      {"{api: 'http://k', ca_file: c, token_file: t}", "line 1: kubernetes: api: write the"},
      {"{api: 'k:6443', ca_file: c, token_file: t}", "line 1: kubernetes: api: write the"},
      {"{api: 'https://k', ca_file: c, token_file: t, insecure: true}", "line 1: kubernetes: "},
      {"[a]", "line 1: "},
  };
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    const auto got = read(row.yaml);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == FaultId::kConfigInvalid);
    CHECK_MESSAGE(got.error().detail.starts_with(row.want), got.error().detail);
  }
}
