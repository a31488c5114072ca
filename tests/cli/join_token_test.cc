#include "cli/join_token.h"

#include <doctest/doctest.h>

#include "tests/cli/fake_verifier.h"

using namespace assay;
using namespace assay::testing;

namespace {

v1::JoinToken rack_7() {
  v1::JoinToken out;
  out.set_name("rack-7");
  out.set_uses_left(39);
  out.set_created_at_ms(1795457230000);
  out.set_expires_at_ms(1795457237804);
  return out;
}

}  // namespace

TEST_CASE("join-token create: prints the secret alone, for a file") {
  FakeVerifier verifier;
  const Finished got = verifier.run({"join-token", "create", "rack-7", "--uses", "40", "--hours",
                                     "48", "--manufacturer", "id:49465800"});
  CHECK(got.exit == 0);
  CHECK(got.err.empty());
  CHECK(got.out == "not-to-be-seen-again\n");
  CHECK(verifier.created.name() == "rack-7");
  CHECK(verifier.created.uses() == 40);
  CHECK(verifier.created.lifetime_s() == 48 * 3600);
  CHECK(verifier.created.manufacturer() == "id:49465800");
}

TEST_CASE("join-token create --json: has the token with its secret") {
  FakeVerifier verifier;
  const auto json = verifier.run({"join-token", "create", "rack-7", "--json"}).json();
  CHECK(json.at("name") == "rack-7");
  CHECK(json.at("manufacturer").is_null());
  CHECK(json.at("uses_left") == verifier.created.uses());
  CHECK(json.at("created_at") == "2026-11-23T18:07:10.000Z");
  CHECK(json.at("expires_at") == "2026-11-23T18:07:17.804Z");
  CHECK(json.at("last_used_at").is_null());
  CHECK(json.at("secret") == "not-to-be-seen-again");
}

TEST_CASE("join-token list: is a table for people and JSON for programs, without secrets") {
  FakeVerifier verifier;
  CHECK(verifier.run({"join-token", "list"}).out == "there are no join tokens\n");
  CHECK(verifier.run({"join-token", "list", "--json"}).out == "{\"tokens\":[]}\n");
  v1::JoinToken used = rack_7();
  used.set_name("rack-8");
  used.set_manufacturer("id:49465800");
  used.set_last_used_at_ms(1795457230000);
  verifier.tokens = {rack_7(), used};
  const Finished people = verifier.run({"join-token", "list"});
  CHECK(people.exit == 0);
  CHECK(people.out ==
        "TOKEN   USES LEFT  EXPIRES                   LAST USED                 MANUFACTURER\n"
        "rack-7  39         2026-11-23T18:07:17.804Z  -                         any\n"
        "rack-8  39         2026-11-23T18:07:17.804Z  2026-11-23T18:07:10.000Z  id:49465800\n");
  const auto json = verifier.run({"join-token", "list", "--json"}).json();
  REQUIRE(json.at("tokens").size() == 2);
  CHECK(json.at("tokens")[0].at("last_used_at").is_null());
  CHECK(json.at("tokens")[1].at("manufacturer") == "id:49465800");
  CHECK_FALSE(json.at("tokens")[0].contains("secret"));
}

TEST_CASE("join-token revoke: names the token") {
  FakeVerifier verifier;
  const Finished got = verifier.run({"join-token", "revoke", "rack-7"});
  CHECK(got.exit == 0);
  CHECK(got.out == "rack-7 is revoked\n");
  CHECK(verifier.revoked.name() == "rack-7");
  CHECK(verifier.run({"join-token", "revoke", "rack-7", "--json"}).out ==
        "{\"revoked\":\"rack-7\"}\n");
}

TEST_CASE("join-token: a verifier that says no is status 1") {
  FakeVerifier verifier;
  verifier.refuse_with = {grpc::StatusCode::ALREADY_EXISTS, "a token of this name\x1b[2J"};
  for (const Arguments& arguments :
       {Arguments{"create", "rack-7"}, Arguments{"list"}, Arguments{"revoke", "rack-7"}}) {
    CAPTURE(arguments[0]);
    Arguments asked = {"join-token"};
    asked.insert(asked.end(), arguments.begin(), arguments.end());
    const Finished got = verifier.run(asked);
    CHECK(got.exit == 1);
    CHECK(got.out.empty());
    CHECK(got.complains_of("a token of this name\\x1b[2J"));
  }
}

TEST_CASE("join-token: what no token can be is not sent") {
  struct Row {
    Arguments arguments;
    std::string says;
  };
  const Row rows[] = {
      {{"create", "Rack_7"}, "a token's name is 1 to 64 of a-z, 0-9, '-' and '.'"},
      {{"revoke", std::string(65, 'a')}, "a token's name is 1 to 64"},
      {{"create", "rack-7", "--uses", "0"}, "--uses"},
      {{"create", "rack-7", "--uses", "100001"}, "--uses"},
      {{"create", "rack-7", "--hours", "0"}, "--hours"},
      {{"create", "rack-7", "--hours", "8785"}, "--hours"},
      {{"create"}, "NAME"},
      {{"revoke"}, "NAME"},
  };
  FakeVerifier verifier;
  for (const Row& row : rows) {
    CAPTURE(row.says);
    Arguments asked = {"join-token"};
    asked.insert(asked.end(), row.arguments.begin(), row.arguments.end());
    const Finished got = verifier.run(asked);
    CHECK(got.exit == 3);
    CHECK(got.complains_of(row.says));
  }
  CHECK(verifier.created.name().empty());
  CHECK(verifier.revoked.name().empty());
}
