// A policy's draft from what a machine has booted.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/boot/boot_facts.h"

namespace assay {

// A policy in YAML with one class, which accepts exactly these facts: parse_policy() reads it. Values
// are named as the log calls them, which nothing proves, and dated `today`. Its command-line rules are
// about what weakens measurement: ima_*, evm, lockdown, module.sig_enforce. Pure.
std::string format_boot_policy(const BootFacts& facts, std::string_view class_name,
                               std::chrono::sys_days today);

}  // namespace assay
