// The kernel's command line as the kernel reads it, and the rules that a policy has for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/boot/boot_policy.h"

namespace assay {

struct KernelParameter {
  std::string name;        // '-' written as '_': to the kernel they are the same
  std::string value;       // without quotes
  bool has_value = false;  // there was a '='
};

// The parameters for the kernel: what stands behind " -- " is init's. Double quotes hold spaces
// together, around a value or a whole parameter. Total.
//
// Linux lib/cmdline.c next_arg(), kernel/params.c parse_args() and parameq().
std::vector<KernelParameter> parse_command_line(std::string_view line);

// What in `line` breaks a rule, for people. A parameter is judged by the rule of its own name, else by
// the one with the longest beginning that fits, else by none; each time that it stands there. Total.
std::vector<std::string> breaches_of(std::string_view line,
                                     const std::vector<CommandLineRule>& rules);

}  // namespace assay
