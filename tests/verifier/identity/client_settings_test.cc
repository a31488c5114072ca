#include "verifier/identity/client_settings.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"

using namespace assay;
using namespace assay::testing;

namespace {

Result<std::vector<ClientSettings>> read(const std::string& yaml) {
  ASSAY_TRY(const YAML::Node node, parse_yaml(yaml));
  std::vector<ClientSettings> out;
  ASSAY_OK(clients(out, "/etc/assay")(node));
  return out;
}

}  // namespace

TEST_CASE("clients: authorities with rules") {
  const auto got = read(
      "[{ca_file: ci.pem, rules: [{names: [shop/, base], uri: 'spiffe://example.org/ci'},\n"
      "  {names: ['*'], dns: builder.example.org}]},\n"
      " {ca_file: /other.pem, rules: [{names: [a], dns: b}]}]");
  REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
  REQUIRE(got->size() == 2);
  CHECK((*got)[0].ca_file == "/etc/assay/ci.pem");
  CHECK((*got)[1].ca_file == "/other.pem");
  REQUIRE((*got)[0].rules.size() == 2);
  const ClientRule& uri = (*got)[0].rules[0];
  CHECK(uri.names.size() == 2);
  CHECK(uri.form == ClientRule::Form::kUri);
  CHECK(uri.client == "spiffe://example.org/ci");
  const ClientRule& dns = (*got)[0].rules[1];
  CHECK(dns.form == ClientRule::Form::kDns);
  CHECK(dns.client == "builder.example.org");
}

TEST_CASE("clients: what would admit nobody, or anybody, is refused with its line") {
  const auto rule = [](const std::string& text) {
    return "[{ca_file: c,\n rules: [{" + text + "}]}]";
  };
  const std::pair<std::string, std::string> rows[] = {
      {rule("names: [a]"), "line 2: golden: clients: rules: names and one of uri and dns"},
      {rule("dns: a"), "names and one of uri and dns are required"},
      {rule("names: [], dns: a"), "names and one of uri and dns are required"},
      {rule("names: [a], dns: a, uri: 'spiffe://a/b'"), "one of uri and dns"},
      {rule("names: [a], cn: x"), "unknown key 'cn'; known are dns, names, uri"},
      {rule("names: ['shop/*'], dns: a"), "or *"},
      {rule("names: [a], uri: example.org/ci"), "uri: write it whole"},
      {rule("names: [a], uri: 'spiffe://'"), "uri: write it whole"},
      {rule("names: [a], uri: '://a'"), "uri: write it whole"},
      {rule("names: [a], uri: 'spiffe://a b'"), "printable characters without spaces"},
      {rule("names: [a], dns: '*.example.org'"), "dns: write one name, in lower case"},
      {rule("names: [a], dns: A"), "dns: write one name, in lower case"},
      {rule("names: [a], dns: .example.org"), "dns: write one name, in lower case"},
      {"[{ca_file: c}]", "line 1: golden: clients: ca_file and rules are required"},
      {"[{ca_file: c, rules: []}]", "ca_file and rules are required"},
      {"[{rules: [{names: [a], dns: b}]}]", "ca_file and rules are required"},
      {"{}", "has to be a list"},
  };
  for (const auto& [yaml, want] : rows) {
    CAPTURE(yaml);
    const auto got = read(yaml);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == FaultId::kConfigInvalid);
    CHECK_MESSAGE(got.error().detail.find(want) != std::string::npos, got.error().detail);
  }
}
