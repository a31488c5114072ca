#include "verifier/identity/client_rules.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/vendor.h"

using namespace assay;
using namespace assay::testing;

namespace {

using Form = ClientRule::Form;

constexpr Instant kThen = std::chrono::sys_days(std::chrono::year(2026) / 12 / 1);

// One authority for all tests: making RSA keys takes a while.
const Vendor& authority() {
  static const Vendor kAuthority;
  return kAuthority;
}

std::string shown(const std::string& names) {
  static const openssl::EvpPkey kKey(EVP_EC_gen("P-256"));
  return authority().shown(authority().client_plan(kKey.get(), names));
}

ClientRule rule(const std::string& set_name, Form form, const std::string& client) {
  return {.names = {*NameScope::parse(set_name)}, .form = form, .client = client};
}

std::string scopes_of(const Result<AdmittedClient>& got) {
  if (!got) return std::string(fault_name(got.error().id));
  std::string out;
  for (const NameScope& scope : got->scopes) out += scope.pattern() + " ";
  return out;
}

}  // namespace

TEST_CASE("admit_client: a client has the names of every rule that names it") {
  const std::vector<ClientAuthority> all = {
      {.roots = authority().roots(),
       .rules = {rule("shop/", Form::kUri, "spiffe://example.org/ci/shop"),
                 rule("base", Form::kUri, "spiffe://example.org/ci/shop"),
                 rule("host/", Form::kDns, "builder.example.org"),
                 rule("other/", Form::kUri, "spiffe://example.org/ci")}}};
  const auto uri = admit_client(shown("URI:spiffe://example.org/ci/shop"), all, kThen);
  REQUIRE_MESSAGE(uri, format_fault(uri.error()));
  CHECK(uri->name == "certificate:spiffe://example.org/ci/shop");
  CHECK(scopes_of(uri) == "shop/ base ");
  const auto dns = admit_client(shown("DNS:x,DNS:Builder.example.ORG"), all, kThen);
  REQUIRE_MESSAGE(dns, format_fault(dns.error()));
  CHECK(dns->name == "certificate:builder.example.org");
  CHECK(scopes_of(dns) == "host/ ");
  const auto both =
      admit_client(shown("DNS:builder.example.org,URI:spiffe://example.org/ci/shop"), all, kThen);
  CHECK(both->name == "certificate:spiffe://example.org/ci/shop");
  CHECK(scopes_of(both) == "shop/ base host/ ");
}

TEST_CASE("admit_client: a name that is nearly right is another") {
  const std::vector<ClientAuthority> all = {
      {.roots = authority().roots(),
       .rules = {rule("shop/", Form::kUri, "spiffe://example.org/ci/shop"),
                 rule("host/", Form::kDns, "builder.example.org")}}};
  for (const char* names :
       {"URI:spiffe://example.org/ci/shop/", "URI:spiffe://example.org/ci/sho",
        "URI:spiffe://example.org/ci/Shop", "URI:spiffe://example.com/ci/shop", "DNS:*.example.org",
        "DNS:builder.example.org.", "DNS:a.builder.example.org", "URI:x://builder.example.org",
        "DNS:spiffe,URI:dns://builder.example.org"}) {
    CAPTURE(std::string(names));
    const auto got = admit_client(shown(names), all, kThen);
    CHECK(fault_of(got) == FaultId::kIdentityRefused);
  }
  CHECK(admit_client(shown("URI:spiffe://a/b"), all, kThen).error().detail == "spiffe://a/b");
  CHECK(admit_client(shown("DNS:A,DNS:b"), all, kThen).error().detail == "a");
}

TEST_CASE("admit_client: an authority's rules are for its own clients") {
  const Vendor other;
  const ClientAuthority theirs = {.roots = other.roots(),
                                  .rules = {rule("*", Form::kUri, "spiffe://example.org/ci/shop")}};
  const ClientAuthority ours = {
      .roots = authority().roots(),
      .rules = {rule("shop/", Form::kUri, "spiffe://example.org/ci/shop")}};
  const ClientAuthority again = {.roots = authority().roots(),
                                 .rules = {rule("host/", Form::kDns, "builder")}};
  const std::string chain = shown("URI:spiffe://example.org/ci/shop");
  CHECK(scopes_of(admit_client(chain, {theirs, ours}, kThen)) == "shop/ ");
  CHECK(scopes_of(admit_client(chain, {again, ours, theirs}, kThen)) == "shop/ ");
  CHECK(scopes_of(admit_client(chain, {theirs}, kThen)) == "identity.certificate_untrusted");
  CHECK(scopes_of(admit_client(chain, {}, kThen)) == "identity.certificate_untrusted");
  // Whichever comes last, the reason is the one that says most.
  CHECK(scopes_of(admit_client(chain, {again, theirs}, kThen)) == "identity.refused");
  CHECK(scopes_of(admit_client(chain, {theirs, again}, kThen)) == "identity.refused");
  const Instant late = kThen + std::chrono::hours(24 * 365 * 25);
  CHECK(scopes_of(admit_client(chain, {ours, theirs}, late)) == "identity.expired");
  CHECK(scopes_of(admit_client("x", {ours}, kThen)) == "identity.certificate_unfit");
}

TEST_CASE("load_client_authorities: files of roots, and what is none") {
  const TempDir dir;
  const auto load = [](const std::filesystem::path& file) {
    return load_client_authorities({{.ca_file = file, .rules = {}}});
  };
  const auto pem = dir.write("ca.pem", pem_chain({authority().root(), authority().upper()}));
  const auto der = dir.write("ca.der", std::string(as_text(authority().root())));
  const auto got = load_client_authorities(
      {{.ca_file = pem, .rules = {rule("a", Form::kDns, "b")}}, {.ca_file = der, .rules = {}}});
  REQUIRE_MESSAGE(got, format_fault(got.error()));
  CHECK(got->all.size() == 2);
  CHECK(got->all[0].rules.size() == 1);
  CHECK(got->certificates == pem_chain({authority().root(), authority().root()}));
  CHECK(load_client_authorities({})->certificates.empty());
  CHECK(fault_of(load(dir / "none")) == FaultId::kFileUnreadable);
  const auto upper = dir.write("upper.pem", pem_chain({authority().upper()}));
  CHECK(fault_of(load(upper)) == FaultId::kConfigInvalid);
  CHECK(load(upper).error().detail == upper.string() + ": no self-signed certificate");
  const auto junk = dir.write("junk", "x");
  CHECK(load(junk).error().detail == junk.string() + ": no certificate");
}
