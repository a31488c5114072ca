// assay audit …
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>

#include "cli/client.h"
#include "cli/command.h"

namespace assay {

class AuditCommands {
 public:
  // Adds the noun to `app`; parsing a command line sets `chosen` to the verb's action. Both outlive
  // this object, which holds the options.
  AuditCommands(CLI::App& app, Action& chosen);
  AuditCommands(const AuditCommands&) = delete;
  AuditCommands& operator=(const AuditCommands&) = delete;

 private:
  Exit list() const;

  ServerOptions server_;
  Format format_ = Format::kTable;
  std::uint32_t limit_ = 100;
  std::int64_t before_ = 0;
};

}  // namespace assay
