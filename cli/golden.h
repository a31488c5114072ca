// assay golden …
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/golden_build.h"
#include "cli/golden_dpkg.h"
#include "cli/golden_find.h"
#include "cli/golden_life.h"
#include "cli/golden_sign.h"

namespace assay {

// What a push says beside its file.
struct PushWishes {
  std::string idempotency_key;
  bool draft = false;
};

class GoldenCommands {
 public:
  // Adds the noun to `app`; parsing a command line sets `chosen` to the verb's action. Both outlive
  // this object, which holds the options.
  GoldenCommands(CLI::App& app, Action& chosen);
  GoldenCommands(const GoldenCommands&) = delete;
  GoldenCommands& operator=(const GoldenCommands&) = delete;

 private:
  void add_build(CLI::App& noun, Action& chosen);
  void add_push(CLI::App& noun, Action& chosen);
  void add_list(CLI::App& noun, Action& chosen);
  void add_show(CLI::App& noun, Action& chosen);
  void add_diff(CLI::App& noun, Action& chosen);

  bool has_source() const;
  Result<BuiltSet> build_files() const;
  Result<BuiltSet> build_set() const;
  GoldenFacts facts() const;
  Exit build() const;
  Exit push() const;
  Exit list() const;
  Exit show() const;

  GoldenLife life_;
  GoldenFind find_;
  GoldenSigning signing_;
  ServerOptions server_;
  Format format_ = Format::kTable;
  std::string rootfs_;
  std::string ima_log_;
  std::string oci_;
  std::string docker_archive_;
  std::string ref_;
  std::string platform_;
  std::vector<std::string> keys_;
  std::string dpkg_;
  ChangedFiles changed_ = ChangedFiles::kRefuse;
  std::vector<std::string> signers_;
  std::vector<std::string> facts_;  // NAME=VALUE
  std::string name_;
  std::uint64_t generation_ = 0;
  PushWishes wishes_;
  std::string set_file_;
  std::string newer_set_file_;
  std::vector<std::string> hashes_;
};

}  // namespace assay
