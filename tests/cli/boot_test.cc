// What a node has booted, and a policy drafted from it: `assay node boot`, `assay boot-policy learn`.
#include "cli/boot.h"

#include <doctest/doctest.h>

#include "golden/policy_file.h"
#include "tests/cli/fake_verifier.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

void add_item(google::protobuf::RepeatedPtrField<v1::BootItem>& to, std::uint32_t pcr,
              std::string_view name, std::string_view content) {
  v1::BootItem& item = *to.Add();
  item.set_pcr(pcr);
  item.set_name(std::string(name));
  item.add_digests(format_digest(digest_of(content)));
}

// A machine with Secure Boot whose boot loader logs what a terminal must not see.
v1::GetNodeBootResponse booted() {
  v1::GetNodeBootResponse out;
  out.set_name("worker-1");
  out.set_node_class("workers");
  out.set_seen_at_ms(1795457237804);
  v1::BootFacts& facts = *out.mutable_facts();
  facts.set_has_log(true);
  facts.set_secure_boot(v1::BootFacts::SECURE_BOOT_ON);
  facts.add_command_lines("root=/dev/sda1 ima_hash=sha256 quiet\x1b[2J");
  add_item(*facts.mutable_variables(), 7, "db", "db");
  add_item(*facts.mutable_applications(), 4, "\\EFI\\debian\\shimx64.efi", "shim");
  add_item(*facts.mutable_files(), 9, "/boot/vmlinuz\x1b[2J", "kernel");
  v1::BootPcr& pcr = *facts.add_pcrs();
  pcr.set_index(7);
  pcr.set_digest(format_digest(digest_of("pcr 7")));
  facts.set_unlisted(3);
  return out;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("node boot: says in words what was booted, names escaped") {
  FakeVerifier verifier;
  verifier.boot = booted();
  const Finished got = verifier.run({"node", "boot", "worker-1"});
  CHECK(got.exit == 0);
  CHECK(got.err.empty());
  CHECK(has(got.out, "node          worker-1\n"));
  CHECK(has(got.out, "class         workers\n"));
  CHECK(has(got.out, "seen          2026-11-23T18:07:17.804Z\n"));
  CHECK(has(got.out, "boot log      replayed against the quoted PCRs\n"));
  CHECK(has(got.out, "Secure Boot   on\n"));
  CHECK(has(got.out, "command line  root=/dev/sda1 ima_hash=sha256 quiet\\x1b[2J\n"));
  CHECK(has(got.out, "left out      3\n"));
  CHECK(has(got.out, format_digest(digest_of("shim"))));
  CHECK(has(got.out, "/boot/vmlinuz\\x1b[2J"));
  CHECK(has(got.out, "7    " + format_digest(digest_of("pcr 7"))));
  CHECK(got.out.find('\x1b') == std::string::npos);
}

TEST_CASE("node boot --json: has everything, and null for what is not proven") {
  FakeVerifier verifier;
  verifier.boot = booted();
  const auto json = verifier.run({"node", "boot", "worker-1", "--json"}).json();
  CHECK(json.at("node") == "worker-1");
  CHECK(json.at("class") == "workers");
  CHECK(json.at("seen_at") == "2026-11-23T18:07:17.804Z");
  CHECK(json.at("boot_log") == true);
  CHECK(json.at("secure_boot") == true);
  CHECK(json.at("command_lines")[0] == "root=/dev/sda1 ima_hash=sha256 quiet\\x1b[2J");
  CHECK(json.at("variables")[0].at("name") == "db");
  CHECK(json.at("variables")[0].at("digest") == format_digest(digest_of("db")));
  CHECK(json.at("applications")[0].at("pcr") == 4);
  CHECK(json.at("files")[0].at("digests")[0] == format_digest(digest_of("kernel")));
  CHECK(json.at("files")[0].at("label") == "/boot/vmlinuz\\x1b[2J");
  CHECK(json.at("pcrs")[0].at("pcr") == 7);
  CHECK(json.at("unlisted") == 3);

  verifier.boot.mutable_facts()->Clear();
  const auto dark = verifier.run({"node", "boot", "worker-1", "--json"}).json();
  CHECK(dark.at("boot_log") == false);
  CHECK(dark.at("secure_boot").is_null());
  CHECK(dark.at("files").empty());
  const Finished people = verifier.run({"node", "boot", "worker-1"});
  CHECK(has(people.out, "boot log     the node gives none\n"));
  CHECK(has(people.out, "Secure Boot  not proven\n"));
}

TEST_CASE("node boot, boot-policy learn: a boot that nobody has seen is status 1") {
  FakeVerifier verifier;
  verifier.boot = booted();
  for (const Arguments& verb : {Arguments{"node", "boot"}, Arguments{"boot-policy", "learn"}}) {
    CAPTURE(verb[1]);
    const Finished got = verifier.run({verb[0], verb[1], "worker-2"});
    CHECK(got.exit == 1);
    CHECK(got.out.empty());
    CHECK(got.complains_of("the node's boot was not seen yet"));
    const Finished bad = verifier.run({verb[0], verb[1], "Worker_1"});
    CHECK(bad.exit == 3);
    CHECK(bad.complains_of("a node's name is 1 to 253 of a-z, 0-9, '-' and '.'"));
  }
}

TEST_CASE("boot-policy learn: drafts a class that `assay policy check` takes") {
  FakeVerifier verifier;
  verifier.boot = booted();
  const Finished got = verifier.run({"boot-policy", "learn", "worker-1"});
  CHECK(got.exit == 0);
  CHECK(got.err.empty());
  CHECK(got.out.find('\x1b') == std::string::npos);
  const auto policy = parse_policy(got.out);
  REQUIRE(policy.has_value());
  REQUIRE(policy->classes.size() == 1);
  CHECK(policy->classes[0].name == "workers");
  const BootPolicy& boot = policy->classes[0].boot;
  CHECK(boot.pcrs.at(PcrIndex::of<7>()).accept.at(0).digest == digest_of("pcr 7"));
  REQUIRE(boot.secure_boot.has_value());
  CHECK(boot.secure_boot->enabled);
  CHECK(boot.variables.at("db").accept.at(0).digest == digest_of("db"));
  CHECK(boot.applications->accept.at(0).digest == digest_of("shim"));
  CHECK(boot.files->accept.at(0).digest == digest_of("kernel"));

  const TempDir dir;
  const std::string draft = dir.write("draft.yaml", got.out).string();
  CHECK(verifier.run({"policy", "check", draft}).exit == 0);
}

TEST_CASE("boot-policy learn: facts that are none are refused, not drafted") {
  struct Row {
    std::string what;
    std::function<void(v1::BootFacts&)> spoil;
    std::string says;
  };
  const Row rows[] = {
      {"a PCR over 23", [](auto& f) { f.mutable_pcrs(0)->set_index(24); }, "sends no PCR value"},
      {"no digest of a PCR", [](auto& f) { f.mutable_pcrs(0)->set_digest("sha256:ab"); },
       "sends no PCR value"},
      {"no digest of a variable", [](auto& f) { f.mutable_variables(0)->clear_digests(); },
       "sends no digest"},
      {"no digest of a file", [](auto& f) { f.mutable_files(0)->set_digests(0, "x"); },
       "sends no digest"},
      {"an image of a PCR over 23", [](auto& f) { f.mutable_applications(0)->set_pcr(24); },
       "names PCR over 23"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    FakeVerifier verifier;
    verifier.boot = booted();
    row.spoil(*verifier.boot.mutable_facts());
    const Finished got = verifier.run({"boot-policy", "learn", "worker-1"});
    CHECK(got.exit == 1);
    CHECK(got.out.empty());
    CHECK(got.complains_of(row.says));
  }
}
