// assay policy …
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/command.h"
#include "golden/policy_file.h"

namespace assay {

// Reads a policy file. Fails as parse_policy(), naming the file, or with kFileUnreadable.
Result<Policy> load_policy(const std::string& path);

class PolicyCommands {
 public:
  // Adds the noun to `app`; parsing a command line sets `chosen` to the verb's action. Both outlive
  // this object, which holds the options.
  PolicyCommands(CLI::App& app, Action& chosen);
  PolicyCommands(const PolicyCommands&) = delete;
  PolicyCommands& operator=(const PolicyCommands&) = delete;

 private:
  Exit check() const;

  std::string file_;
};

}  // namespace assay
