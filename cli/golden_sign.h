// assay golden sign, assay golden verify: sets in DSSE envelopes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/command.h"

namespace assay {

class GoldenSigning {
 public:
  // Adds both verbs to `noun`, as GoldenCommands does.
  void add_to(CLI::App& noun, Action& chosen);

 private:
  void add_sign(CLI::App& noun, Action& chosen);
  void add_verify(CLI::App& noun, Action& chosen);

  Exit sign() const;
  Exit verify() const;

  Format format_ = Format::kTable;
  std::string file_;
  std::string output_;
  std::string private_key_;
  std::vector<std::string> public_keys_;
  std::size_t threshold_ = 1;
};

}  // namespace assay
