// assay golden approve, assay golden revoke, assay golden history: what counts, and what did.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "cli/client.h"
#include "cli/command.h"

namespace assay {

namespace v1 {
class ListGoldenResponse;
class ListGoldenRunsResponse;
}  // namespace v1

// Sets one a line, and as one JSON object.
std::string format_sets(const v1::ListGoldenResponse& got);
std::string format_sets_json(const v1::ListGoldenResponse& got);

class GoldenLife {
 public:
  // Adds the verbs to `noun`, as GoldenCommands does.
  void add_to(CLI::App& noun, Action& chosen);

 private:
  void add_approve(CLI::App& noun, Action& chosen);
  void add_revoke(CLI::App& noun, Action& chosen);
  void add_nodes(CLI::App& noun, Action& chosen);
  void add_history(CLI::App& noun, Action& chosen);

  Exit approve() const;
  Exit revoke() const;
  Exit nodes() const;
  Exit history() const;
  Result<v1::ListGoldenRunsResponse> runs() const;

  ServerOptions server_;
  Format format_ = Format::kTable;
  std::string name_;
  std::uint64_t generation_ = 0;
  std::string reason_;
};

}  // namespace assay
