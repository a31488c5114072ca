// assay golden find: which golden sets have a digest.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/client.h"
#include "cli/command.h"

namespace assay {

class GoldenFind {
 public:
  // Adds the verb to `noun`, as GoldenCommands does.
  void add_to(CLI::App& noun, Action& chosen);

 private:
  Exit find() const;

  ServerOptions server_;
  Format format_ = Format::kTable;
  std::string digest_;
};

}  // namespace assay
