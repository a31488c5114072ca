#include "golden/policy_file.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "golden/policy_draft.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string example() {
  std::ifstream file(std::string(ASSAY_TEST_DATA) + "/../../deploy/policy.yaml.example");
  std::stringstream out;
  out << file.rdbuf();
  return out.str();
}

}  // namespace

TEST_CASE("parse_policy: what is left out has its safe default") {
  for (const std::string yaml : {"", "# nothing\n", "---\n", "{}", "allow_sha1: false\n"}) {
    CAPTURE(yaml);
    const auto policy = parse_policy(yaml);
    REQUIRE(policy.has_value());
    CHECK_FALSE(policy->allow_sha1);
    CHECK(policy->admission.otherwise == AdmissionPolicy::Otherwise::kPending);
    CHECK_FALSE(policy->class_of("any").boot.judges());
    CHECK(policy->class_of("any").violations.executables == Enforcement::kFail);
    CHECK(policy->class_of("any").violations.others == Enforcement::kFail);
  }
  CHECK(parse_policy("allow_sha1: true\n")->allow_sha1);
}

TEST_CASE("parse_policy: the example that is shipped says everything") {
  const auto policy = parse_policy(example());
  REQUIRE_MESSAGE(policy.has_value(), format_fault(policy.error()));
  CHECK(policy->admission.endorsement_keys.begin()->second == "worker-1");
  CHECK(policy->admission.without_certificate.size() == 1);
  REQUIRE(policy->classes.size() == 2);
  const NodeClass& workers = policy->class_of("worker-2");
  CHECK(workers.name == "workers");
  CHECK(policy->class_of("gpu-17").name == "workers");
  CHECK(policy->class_of("gp").name == "others");
  CHECK(workers.banks == std::vector{HashAlg::kSha256, HashAlg::kSha384});
  REQUIRE(workers.ima_policy.has_value());
  CHECK(workers.ima_policy->within_entries == 64);
  CHECK(workers.ima_policy->accept[0].until ==
        std::chrono::sys_days(std::chrono::year(2027) / 1 / 31));
  CHECK(workers.boot.pcrs.at(PcrIndex::of<0>()).enforce == Enforcement::kWarn);
  CHECK(workers.violations.executables == Enforcement::kFail);
  CHECK(workers.violations.others == Enforcement::kWarn);
  CHECK(workers.boot.secure_boot->enabled);
  CHECK(workers.boot.variables.at("dbx").accept[0].name == "dbx 2026-09");
  CHECK(workers.boot.applications->accept.size() == 1);
  CHECK(workers.boot.files->accept.size() == 1);
  REQUIRE(workers.boot.command_line->rules.size() == 4);
  CHECK(workers.boot.command_line->rules[0].required);
  CHECK(workers.boot.command_line->rules[3].values == std::vector<std::string>{"", "1"});
}

TEST_CASE("parse_policy: violations have one rule, or one for each class of files") {
  struct Row {
    std::string yaml;
    Enforcement executables;
    Enforcement others;
  };
  const Row rows[] = {
      {"fail", Enforcement::kFail, Enforcement::kFail},
      {"warn", Enforcement::kWarn, Enforcement::kWarn},
      {"{others: warn}", Enforcement::kFail, Enforcement::kWarn},
      {"{executables: warn}", Enforcement::kWarn, Enforcement::kFail},
      {"{executables: fail, others: warn}", Enforcement::kFail, Enforcement::kWarn},
  };
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    const auto policy = parse_policy("classes: [{name: a, violations: " + row.yaml + "}]");
    REQUIRE(policy.has_value());
    CHECK(policy->classes[0].violations.executables == row.executables);
    CHECK(policy->classes[0].violations.others == row.others);
  }
}

TEST_CASE("parse_policy: a namespace is held to what its rule says") {
  const auto policy = parse_policy(
      "namespaces:\n- {names: [staging, dev], mode: monitor}\n- {names: [old], mode: warn}\n"
      "- {names: [prod], mode: enforce}\n- {names: [qa], mode: warn, attribution: uid range}\n"
      "- {names: [ci], mode: warn, attribution: cgroup}\n");
  REQUIRE(policy.has_value());
  REQUIRE(policy->namespaces.size() == 5);
  CHECK(policy->namespaces[0].names.contains("dev"));
  CHECK(policy->namespaces[0].mode == NamespaceMode::kMonitor);
  CHECK(policy->namespaces[1].mode == NamespaceMode::kWarn);
  CHECK(policy->namespaces[2].mode == NamespaceMode::kEnforce);
  CHECK(policy->namespaces[0].weakest == Attribution::kCgroup);
  CHECK(policy->namespaces[3].weakest == Attribution::kUidRange);
  CHECK(policy->namespaces[4].weakest == Attribution::kCgroup);
}

TEST_CASE("parse_policy: refuses all else, and says where") {
  const std::string accept = "accept: [{digest: '" + kDigest + "', name: x}]";
  const auto in_class = [](const std::string& text) {
    return "classes:\n- name: a\n  " + text + "\n";
  };
  const auto in_boot = [&](const std::string& text) { return in_class("boot: {" + text + "}"); };
  const std::pair<std::string, std::string> rows[] = {
      {"allow_sha1: true\nallow_sha2: true\n", "line 2: unknown key 'allow_sha2'"},
      {"allow_sha1: yes\n", "line 1: allow_sha1: write true or false"},
      {"allow_sha1:\n", "allow_sha1: has to be one value"},
      {"allow_sha1: false\nallow_sha1: true\n", "line 2: key 'allow_sha1' twice"},
      {"- allow_sha1\n", "has to be a mapping"},
      {"a: b: c\n", "line 1: is not YAML"},
      {"\"\\e[31m\": 1\n", "unknown key '\\x1b[31m'"},
      {"admission: {otherwise: maybe}\n", "write pending or refuse"},
      {"admission: {endorsement_keys: [{node: a}]}\n", "ek is required"},
      {"admission: {endorsement_keys: [{ek: abc}]}\n", "write a digest"},
      {"admission: {without_certificate: [abc]}\n", "write a digest"},
      {"classes: [{nodes: [a]}]\n", "name is required"},
      {"classes: [{name: a, nodes: [x]}, {name: a}]\n", "'a' twice"},
      {"namespaces: [{names: [a], mode: ignore}]\n", "mode is enforce, warn or monitor"},
      {"namespaces: [{names: [a]}]\n", "mode is enforce, warn or monitor"},
      {"namespaces: [{mode: warn}]\n", "names is required"},
      {"namespaces: [{names: [a], mode: warn, attribution: uid}]\n",
       "attribution is cgroup or uid range"},
      {"namespaces: [{names: [a], mode: warn, attribution: ''}]\n", "has to be one value"},
      {"namespaces: [{names: [a], mode: warn, attribution: [cgroup]}]\n", "has to be one value"},
      {"namespaces: [{names: [a], mode: warn}, {names: [b, a], mode: warn}]\n", "'a' twice"},
      {"namespaces: [{names: [a], mode: warn, tolerate: all}]\n", "tolerate"},
      {"classes: [{name: a}, {name: b}]\n", "'a' before this one has every node"},
      {in_class("banks: [md5]"), "write sha1, sha256"},
      {in_class("banks: []"), "name a bank"},
      {in_class("banks: [sha1]"), "bank sha1 needs allow_sha1: true"},
      {in_class("violations: ignore"), "violations: write fail or warn"},
      {in_class("violations: {others: ignore}"), "others: write fail or warn"},
      {in_class("violations: {data: warn}"), "violations: unknown key 'data'"},
      {in_class("violations: [fail]"), "has to be a mapping"},
      {in_class("ima_policy: {within_entries: 3}"), "accept is required"},
      {in_class("ima_policy: {" + accept + ", enforce: perhaps}"), "write fail or warn"},
      {in_boot("pcrs: [{pcr: 10, " + accept + "}]"), "pcr has to be 0 to 9, or 14"},
      {in_boot("pcrs: [{" + accept + "}]"), "pcr has to be 0 to 9, or 14"},
      {in_boot("pcrs: [{pcr: 1, " + accept + "}, {pcr: 1, " + accept + "}]"), "PCR 1 twice"},
      {in_boot("variables: [{name: BootOrder, " + accept + "}]"), "name has to be PK, KEK"},
      {in_boot("files: {accept: [{name: x}]}"), "digest and name are required"},
      {in_boot("files: {accept: [{digest: '" + kDigest + "'}]}"), "digest and name are required"},
      {in_boot("files: {accept: [{digest: '" + kDigest + "', name: x, until: 2026-02-30}]}"),
       "write a date"},
      {in_boot("command_line: {rules: [{values: [a]}]}"), "parameter is a name"},
      {in_boot("command_line: {rules: [{parameter: 'a*b'}]}"), "one '*'"},
      {in_boot("command_line: {rules: [{parameter: a, required: true}]}"),
       "a whole name and values"},
  };
  for (const auto& [yaml, says] : rows) {
    CAPTURE(yaml);
    const auto policy = parse_policy(yaml);
    REQUIRE_FALSE(policy.has_value());
    CHECK(policy.error().id == FaultId::kConfigInvalid);
    CAPTURE(policy.error().detail);
    CHECK(policy.error().detail.find(says) != std::string::npos);
  }
  CHECK_FALSE(parse_policy(std::string((1 << 20) + 1, '#')).has_value());
}

TEST_CASE("format_boot_policy: the draft is a policy that accepts what it was drafted from") {
  const auto image = [](std::string_view content, std::string label) {
    return BootImage{
        .pcr = PcrIndex::of<9>(), .digests = {digest_of(content)}, .label = std::move(label)};
  };
  const BootFacts facts{
      .pcrs = {{{HashAlg::kSha256, PcrIndex::of<0>()}, digest_of("firmware")}},
      .has_log = true,
      .secure_boot = false,
      .variables = {{.name = "db", .digest = digest_of("db")}},
      .applications = {image("shim", "\\EFI\\shim.efi")},
      .files = {image("kernel", "a\"b\n- {evil: yes}\x1b[31m"), image("kernel", "again")},
      .command_lines = {"ro ima_policy=tcb lockdown=integrity"}};
  const std::chrono::sys_days today = std::chrono::year(2026) / 11 / 24;
  const auto policy = parse_policy(format_boot_policy(facts, "workers", today));
  REQUIRE_MESSAGE(policy.has_value(), format_fault(policy.error()));
  const NodeClass& drafted = policy->class_of("any");
  CHECK(drafted.name == "workers");
  CHECK(appraise_boot(facts, drafted.boot, today).empty());
  CHECK(drafted.boot.files->accept.size() == 1);
  CHECK(drafted.boot.files->accept[0].since == today);

  BootFacts other = facts;
  other.command_lines = {"ro ima_policy=tcb ima_appraise=off lockdown=integrity"};
  other.files.push_back(image("evil", "kernel"));
  other.secure_boot.reset();
  CHECK(appraise_boot(other, drafted.boot, today).size() == 3);
}
