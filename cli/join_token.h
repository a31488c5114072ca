// assay join-token …
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/client.h"
#include "cli/command.h"

namespace assay {

class JoinTokenCommands {
 public:
  // Adds the noun to `app`; parsing a command line sets `chosen` to the verb's action. Both outlive
  // this object, which holds the options.
  JoinTokenCommands(CLI::App& app, Action& chosen);
  JoinTokenCommands(const JoinTokenCommands&) = delete;
  JoinTokenCommands& operator=(const JoinTokenCommands&) = delete;

 private:
  void add_create(CLI::App& noun, Action& chosen);
  Exit create() const;
  Exit list() const;
  Exit revoke() const;

  ServerOptions server_;
  Format format_ = Format::kTable;
  std::string name_;
  std::string manufacturer_;
  std::uint32_t uses_ = 1;
  std::uint64_t hours_ = 24;
};

}  // namespace assay
