#include "cli/violation.h"

#include <doctest/doctest.h>

#include "tests/cli/fake_verifier.h"

using namespace assay;
using namespace assay::testing;

namespace {

v1::Violation violation(std::uint64_t id) {
  v1::Violation out;
  out.set_id(id);
  out.set_node("worker-1");
  out.set_status("open");
  out.set_detected_at_ms(1795457237804);
  out.mutable_fault()->set_id("ima.unknown_digest");
  out.mutable_fault()->set_severity("critical");
  out.mutable_fault()->set_entry(57);
  out.mutable_fault()->set_path("/bin/x\n\xff");
  out.mutable_fault()->set_digest("sha256:ab");
  return out;
}

std::vector<v1::Violation> newest_first(std::uint64_t count) {
  std::vector<v1::Violation> out;
  for (std::uint64_t id = count; id > 0; --id) out.push_back(violation(id));
  return out;
}

}  // namespace

TEST_CASE("violation list: is a table for people and JSON for programs, names escaped") {
  FakeVerifier verifier;
  CHECK(verifier.run({"violation", "list"}).out == "no violations\n");
  CHECK(verifier.run({"violation", "list", "--json"}).out == "{\"violations\":[]}\n");
  verifier.violations = newest_first(1);
  CHECK(verifier.run({"violation", "list"}).out ==
        "ID  NODE      STATUS  DETECTED                  FAULT               ENTRY  PATH\n"
        "1   worker-1  open    2026-11-23T18:07:17.804Z  ima.unknown_digest  57     "
        "/bin/x\\x0a\\xff\n");
  const auto json = verifier.run({"violation", "list", "--json"}).json();
  REQUIRE(json.at("violations").size() == 1);
  const auto& first = json.at("violations")[0];
  CHECK(first.at("id") == 1);
  CHECK(first.at("node") == "worker-1");
  CHECK(first.at("acknowledged_at").is_null());
  CHECK(first.at("fault").at("path") == "/bin/x\\x0a\\xff");
}

TEST_CASE("violation list: passes its filters on") {
  FakeVerifier verifier;
  CHECK(verifier.run({"violation", "list"}).exit == 0);
  CHECK(verifier.run({"violation", "list", "--open", "--node", "worker-1"}).exit == 0);
  REQUIRE(verifier.listed.size() == 2);
  CHECK(verifier.listed[0].node().empty());
  CHECK_FALSE(verifier.listed[0].open_only());
  CHECK(verifier.listed[0].limit() == 100);
  CHECK(verifier.listed[1].node() == "worker-1");
  CHECK(verifier.listed[1].open_only());
}

TEST_CASE("violation list: goes on page by page up to its limit") {
  FakeVerifier verifier;
  verifier.violations = newest_first(2600);
  const auto ids = [&](const std::string& limit) {
    const auto json = verifier.run({"violation", "list", "--limit", limit, "--json"}).json();
    std::vector<std::uint64_t> out;
    for (const auto& v : json.at("violations")) out.push_back(v.at("id").get<std::uint64_t>());
    return out;
  };
  const auto some = ids("2500");
  REQUIRE(some.size() == 2500);
  for (std::size_t i = 0; i < some.size(); ++i) CHECK(some[i] == 2600 - i);
  CHECK(ids("10000").size() == 2600);
  CHECK(ids("5").size() == 5);
}

TEST_CASE("violation show: has all of one violation; one that is not there is status 1") {
  FakeVerifier verifier;
  verifier.violations = newest_first(3);
  const Finished people = verifier.run({"violation", "show", "2"});
  CHECK(people.exit == 0);
  CHECK(people.out.find("path          /bin/x\\x0a\\xff\n") != std::string::npos);
  CHECK(people.out.find("acknowledged  -\n") != std::string::npos);
  CHECK(verifier.run({"violation", "show", "2", "--json"}).json().at("id") == 2);
  const Finished none = verifier.run({"violation", "show", "9"});
  CHECK(none.exit == 1);
  CHECK(none.complains_of("no violation 9"));
}
