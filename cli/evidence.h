// assay evidence …
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/command.h"

namespace assay {

class EvidenceCommands {
 public:
  // Adds the noun to `app`; parsing a command line sets `chosen` to the verb's action. Both outlive
  // this object, which holds the options.
  EvidenceCommands(CLI::App& app, Action& chosen);
  EvidenceCommands(const EvidenceCommands&) = delete;
  EvidenceCommands& operator=(const EvidenceCommands&) = delete;

 private:
  void add_verify(CLI::App& noun, Action& chosen);
  void add_log(CLI::App& noun, Action& chosen);

  Exit verify() const;

  std::string bundle_;
  std::string log_;
  std::vector<std::string> golden_;
  std::string policy_;
  Format format_ = Format::kTable;
};

}  // namespace assay
