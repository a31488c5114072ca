// assay violation …
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "cli/client.h"
#include "cli/command.h"

namespace assay {

class ViolationCommands {
 public:
  // Adds the noun to `app`; parsing a command line sets `chosen` to the verb's action. Both outlive
  // this object, which holds the options.
  ViolationCommands(CLI::App& app, Action& chosen);
  ViolationCommands(const ViolationCommands&) = delete;
  ViolationCommands& operator=(const ViolationCommands&) = delete;

 private:
  enum class Which : std::uint8_t { kAll, kOpen };

  void add_list(CLI::App& noun, Action& chosen);
  void add_show(CLI::App& noun, Action& chosen);
  Exit list() const;
  Exit show() const;

  ServerOptions server_;
  Format format_ = Format::kTable;
  std::string node_;
  Which which_ = Which::kAll;
  std::uint32_t limit_ = 100;
  std::uint64_t id_ = 0;
};

}  // namespace assay
