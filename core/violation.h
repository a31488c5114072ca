// Violations: the kernel says that it could not measure a file reliably, and the policy what that means.
#pragma once

#include "core/boot/boot_policy.h"
#include "core/fault.h"
#include "core/ima_log.h"

namespace assay {

// What a violation means. There is no rule that is silent: each one is a fault and is counted.
struct ViolationRules {
  Enforcement executables = Enforcement::kFail;
  // By the word of the node alone: a policy that warns here lets whoever owns the node turn any
  // violation into a warning, by the name that it sends.
  Enforcement others = Enforcement::kFail;
};

enum class ViolationClass : std::uint8_t {
  kExecutable,  // of something that may act, or of which nothing is known
  kOther,       // of what is data, going by its name
};

// The class of a violation. The kernel extends 0xff bytes for it, so the record's name and mode are
// what the node's log says and no TPM vouches for them: data is only what lies in a directory of logs,
// spools or caches, is no library or module by its name, and has no execute bit where the template
// has the mode. Total and pure.
ViolationClass violation_class(const ImaEntry& entry);

// The fault of `entry`, which is a violation.
Fault judge_violation(const ImaEntry& entry, const ViolationRules& rules);

}  // namespace assay
