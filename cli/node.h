// assay node …
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/client.h"
#include "cli/command.h"

namespace assay {

class NodeCommands {
 public:
  // Adds the noun to `app`; parsing a command line sets `chosen` to the verb's action. Both outlive
  // this object, which holds the options.
  NodeCommands(CLI::App& app, Action& chosen);
  NodeCommands(const NodeCommands&) = delete;
  NodeCommands& operator=(const NodeCommands&) = delete;

 private:
  using Verb = Exit (NodeCommands::*)() const;

  // A verb about one node.
  CLI::App* add_verb(CLI::App& noun, const std::string& name, const std::string& what);
  void add_enrol(CLI::App& noun, Action& chosen);
  void add_admission(CLI::App& noun, Action& chosen);
  void add_acknowledge(CLI::App& noun, Action& chosen);
  void choose(CLI::App& verb, Action& chosen, Verb action);

  Exit enrol() const;
  Exit list() const;
  Exit show() const;
  Exit attest() const;
  Exit acknowledge() const;
  Exit pending() const;
  Exit approve() const;
  Exit reject() const;
  Exit re_enrol() const;
  Exit boot() const;

  ServerOptions server_;
  Format format_ = Format::kTable;
  std::string name_;
  std::string ak_file_;
  std::string ek_id_;
  std::string reason_;
};

}  // namespace assay
