#include "core/boot/boot_policy.h"

#include <doctest/doctest.h>

#include "core/boot/command_line.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

using Names = std::vector<std::string>;

constexpr std::chrono::sys_days kToday = std::chrono::year(2026) / 11 / 24;

AcceptRule accepts(std::initializer_list<std::string_view> contents,
                   Enforcement enforce = Enforcement::kFail) {
  AcceptRule out{.accept = {}, .enforce = enforce};
  for (const std::string_view content : contents) {
    out.accept.push_back({.digest = digest_of(content), .name = std::string(content)});
  }
  return out;
}

BootImage image(std::string_view content, std::uint32_t pcr = 4) {
  return {.pcr = *PcrIndex::from(pcr), .digests = {digest_of(content)}, .label = "a label"};
}

// A boot that has everything once.
BootFacts good() {
  return {.pcrs = {{{HashAlg::kSha256, PcrIndex::of<0>()}, digest_of("firmware")},
                   {{HashAlg::kSha256, PcrIndex::of<7>()}, digest_of("keys")}},
          .has_log = true,
          .secure_boot = true,
          .variables = {{.name = "db", .digest = digest_of("db")}},
          .applications = {image("shim"), image("grub")},
          .files = {image("kernel", 9)},
          .command_lines = {"ro ima_policy=tcb"}};
}

BootPolicy strict() {
  BootPolicy out;
  out.pcrs = {{PcrIndex::of<0>(), accepts({"old firmware", "firmware"})},
              {PcrIndex::of<7>(), accepts({"keys"})}};
  out.secure_boot = SecureBootRule{};
  out.variables = {{"db", accepts({"db"})}};
  out.applications = accepts({"shim", "grub"});
  out.files = accepts({"kernel"});
  out.command_line =
      CommandLineRules{.rules = {{.parameter = "ima_policy", .values = {"tcb"}, .required = true},
                                 {.parameter = "ima_*", .values = {}}}};
  return out;
}

Names faults(const BootFacts& facts, const BootPolicy& policy) {
  Names out;
  for (const Fault& fault : appraise_boot(facts, policy, kToday)) {
    out.emplace_back(fault_name(fault.id));
    CHECK(severity_of(fault) == Severity::kCritical);
  }
  return out;
}

}  // namespace

TEST_CASE(
    "appraise_boot: what is accepted has no fault, and a policy without rules judges nothing") {
  CHECK(faults(good(), strict()).empty());
  CHECK(faults(BootFacts{}, BootPolicy{}).empty());
  CHECK(strict().judges());
  CHECK_FALSE(BootPolicy{}.judges());
}

TEST_CASE("appraise_boot: each rule has its own fault") {
  struct Row {
    std::string name;
    std::function<void(BootFacts&)> edit;
    Names want;
  };
  const Row rows[] = {
      {"another firmware",
       [](BootFacts& facts) { facts.pcrs.begin()->second = digest_of("evil"); },
       {"boot.pcr_not_accepted"}},
      {"a PCR that is not quoted",
       [](BootFacts& facts) { facts.pcrs.erase(facts.pcrs.begin()); },
       {"boot.pcr_not_accepted"}},
      {"Secure Boot off",
       [](BootFacts& facts) { facts.secure_boot = false; },
       {"boot.secure_boot"}},
      {"Secure Boot not proven",
       [](BootFacts& facts) { facts.secure_boot.reset(); },
       {"boot.secure_boot"}},
      {"another db",
       [](BootFacts& facts) { facts.variables[0].digest = digest_of("evil"); },
       {"boot.variable_not_accepted"}},
      {"a second db",
       [](BootFacts& facts) {
         facts.variables.push_back({.name = "db", .digest = digest_of("evil")});
       },
       {"boot.variable_not_accepted"}},
      {"no db", [](BootFacts& facts) { facts.variables.clear(); }, {"boot.variable_not_accepted"}},
      {"another image",
       [](BootFacts& facts) { facts.applications.push_back(image("evil")); },
       {"boot.application_not_accepted"}},
      {"no image",
       [](BootFacts& facts) { facts.applications.clear(); },
       {"boot.application_not_accepted"}},
      {"another file",
       [](BootFacts& facts) { facts.files.push_back(image("evil", 9)); },
       {"boot.file_not_accepted"}},
      {"no file", [](BootFacts& facts) { facts.files.clear(); }, {"boot.file_not_accepted"}},
      {"a parameter of a forbidden kind",
       [](BootFacts& facts) { facts.command_lines[0] += " ima_appraise=off"; },
       {"boot.command_line"}},
      {"a second command line that breaks the rules",
       [](BootFacts& facts) { facts.command_lines.push_back("ro"); },
       {"boot.command_line"}},
      {"no command line",
       [](BootFacts& facts) { facts.command_lines.clear(); },
       {"boot.command_line"}},
      {"more than can be listed",
       [](BootFacts& facts) { facts.unlisted = 1; },
       {"boot.application_not_accepted", "boot.file_not_accepted", "boot.command_line"}},
      {"no log", [](BootFacts& facts) { facts = {.pcrs = facts.pcrs}; }, {"boot.log_missing"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    BootFacts facts = good();
    row.edit(facts);
    CHECK(faults(facts, strict()) == row.want);
  }
}

TEST_CASE("appraise_boot: a value is good until its day, and the fault says so") {
  BootPolicy policy;
  policy.files = accepts({"kernel"});
  policy.files->accept[0].until = kToday;
  CHECK(faults(good(), policy).empty());
  policy.files->accept[0].until = kToday - std::chrono::days(1);
  const std::vector<Fault> found = appraise_boot(good(), policy, kToday);
  REQUIRE(found.size() == 1);
  CHECK(found[0].detail.find("\"kernel\" was accepted until 2026-11-23") != std::string::npos);
}

TEST_CASE("appraise_boot: a rule that only warns lowers its own fault, and no other") {
  BootPolicy policy;
  policy.pcrs = {{PcrIndex::of<0>(), accepts({"other"}, Enforcement::kWarn)},
                 {PcrIndex::of<7>(), accepts({"other"})}};
  policy.log = Enforcement::kWarn;
  policy.secure_boot = SecureBootRule{};
  BootFacts facts = good();
  facts.has_log = false;
  const std::vector<Fault> found = appraise_boot(facts, policy, kToday);
  REQUIRE(found.size() == 3);
  CHECK(severity_of(found[0]) == Severity::kCritical);
  CHECK(found[0].detail.starts_with("PCR 7 "));
  CHECK(severity_of(found[1]) == Severity::kWarning);
  CHECK(found[1].detail.starts_with("PCR 0 "));
  CHECK(found[2].id == FaultId::kBootLogMissing);
  CHECK(severity_of(found[2]) == Severity::kWarning);
}

TEST_CASE("parse_command_line: words as the kernel takes them") {
  const auto names = [](std::string_view line) {
    Names out;
    for (const KernelParameter& parameter : parse_command_line(line)) {
      out.push_back(parameter.name + (parameter.has_value ? "=" + parameter.value : ""));
    }
    return out;
  };
  CHECK(names("ro  quiet\troot=/dev/sda") == Names{"ro", "quiet", "root=/dev/sda"});
  CHECK(names("ima-policy=tcb") == Names{"ima_policy=tcb"});
  CHECK(names("a=\"b c\" d") == Names{"a=b c", "d"});
  CHECK(names("\"a=b c\" d") == Names{"a=b c", "d"});
  CHECK(names("a -- ima=off") == Names{"a"});
  CHECK(names("a=-- b") == Names{"a=--", "b"});
  CHECK(names("").empty());
  CHECK(names("a=\"unclosed b") == Names{"a=unclosed b"});
}

TEST_CASE("breaches_of: the closest rule counts, each time that a parameter stands there") {
  const std::vector<CommandLineRule> rules = {
      {.parameter = "ima_*", .values = {}},
      {.parameter = "ima_policy", .values = {"tcb", "critical_data"}, .required = true},
      {.parameter = "module.sig_enforce", .values = {"", "1"}},
      {.parameter = "lockdown", .values = {"integrity"}}};
  const auto breaches = [&](std::string_view line) { return breaches_of(line, rules).size(); };
  CHECK(breaches("ima_policy=tcb quiet") == 0);
  CHECK(breaches("ima-policy=tcb module.sig-enforce lockdown=integrity") == 0);
  CHECK(breaches("ima_policy=tcb ima_policy=critical_data") == 0);
  CHECK(breaches("ima_policy=tcb ima_policy=none") == 1);
  CHECK(breaches("quiet") == 1);
  CHECK(breaches("-- ima_policy=tcb") == 1);
  CHECK(breaches("ima_policy=tcb ima_hash=sha1") == 1);
  CHECK(breaches("ima_policy=tcb module.sig_enforce=0 lockdown=none") == 2);
}
