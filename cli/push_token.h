// assay push-token …
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/command.h"

namespace assay {

class PushTokenCommands {
 public:
  // Adds the noun to `app`; parsing a command line sets `chosen` to the verb's action. Both outlive
  // this object, which holds the options.
  PushTokenCommands(CLI::App& app, Action& chosen);
  PushTokenCommands(const PushTokenCommands&) = delete;
  PushTokenCommands& operator=(const PushTokenCommands&) = delete;

 private:
  void add_create(CLI::App& noun, Action& chosen);
  Exit create() const;
  Exit list() const;
  Exit revoke() const;

  ServerOptions server_;
  Format format_ = Format::kTable;
  std::string name_;
  std::vector<std::string> scopes_;
  std::uint64_t days_ = 90;
};

}  // namespace assay
