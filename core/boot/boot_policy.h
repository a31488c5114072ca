// What a class of machines may boot: reference values for firmware, boot loader and kernel.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/boot/boot_facts.h"

namespace assay {

// What a breach of a rule means.
enum class Enforcement : std::uint8_t { kFail, kWarn };

// A value that is good: it has a name that people know it by, and may have days.
struct AcceptedValue {
  Digest digest;
  std::string name;
  std::optional<std::chrono::sys_days> since = {};  // for people
  std::optional<std::chrono::sys_days> until = {};  // the last day on which it is accepted
};

struct AcceptRule {
  std::vector<AcceptedValue> accept;
  Enforcement enforce = Enforcement::kFail;
};

// A parameter of the kernel's command line. '-' and '_' are the same, as the kernel has it.
struct CommandLineRule {
  std::string parameter;            // "ima_policy"; "ima_*" is every one that begins so and has no
                                    // rule of its own
  std::vector<std::string> values;  // it may have; none: it may not be there. "": without a value
  bool required = false;
};

struct CommandLineRules {
  std::vector<CommandLineRule> rules;
  Enforcement enforce = Enforcement::kFail;
};

struct SecureBootRule {
  bool enabled = true;
  Enforcement enforce = Enforcement::kFail;
};

// A rule that is not there does not judge.
struct BootPolicy {
  std::map<PcrIndex, AcceptRule> pcrs;
  std::optional<SecureBootRule> secure_boot;
  std::map<std::string, AcceptRule> variables;  // by name: "PK", "KEK", "db", "dbx"
  std::optional<AcceptRule> applications;       // every image of PCR 4
  std::optional<AcceptRule> files;              // every file of PCR 9: kernel, initrd, …
  std::optional<CommandLineRules> command_line;
  Enforcement log = Enforcement::kFail;  // a node that gives no log, when a rule needs one

  bool judges() const;  // whether there is any rule
};

// Whether `digest` is accepted on this day.
bool is_accepted(const std::vector<AcceptedValue>& accept, const Digest& digest,
                 std::chrono::sys_days today);

// Judges a boot. One fault for each rule that is broken (kBootLogMissing, kBootPcrNotAccepted,
// kBootSecureBootOff, kBootVariableNotAccepted, kBootApplicationNotAccepted, kBootFileNotAccepted,
// kBootCommandLine), whose detail names every value that breaks it, up to a bound; with severity
// warning where the rule says `warn`. No rule is satisfied by absence: without a Secure Boot variable
// its state is not "on", and command-line rules need a proven command line.
//
//   today   for values that are accepted until a day
//
// Total and pure.
std::vector<Fault> appraise_boot(const BootFacts& facts, const BootPolicy& policy,
                                 std::chrono::sys_days today);

}  // namespace assay
