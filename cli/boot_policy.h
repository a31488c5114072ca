// assay boot-policy …
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/client.h"
#include "cli/command.h"

namespace assay {

class BootPolicyCommands {
 public:
  // Adds the noun to `app`; parsing a command line sets `chosen` to the verb's action. Both outlive
  // this object, which holds the options.
  BootPolicyCommands(CLI::App& app, Action& chosen);
  BootPolicyCommands(const BootPolicyCommands&) = delete;
  BootPolicyCommands& operator=(const BootPolicyCommands&) = delete;

 private:
  Exit learn() const;

  ServerOptions server_;
  std::string name_;
};

}  // namespace assay
