// The command line of assay-agent.
#pragma once

#include <filesystem>
#include <string>
#include <variant>

namespace assay::agent {

struct Options {
  enum class Task : std::uint8_t {
    kServe,        // answer the verifier until told to stop
    kCheckConfig,  // read the configuration and end
    kPrintAk,      // make or load the attestation key, write it to `ak_file`, and end
  };
  Task task = Task::kServe;
  std::filesystem::path config = "/etc/assay/agent.yaml";
  std::filesystem::path ak_file = {};  // "-": standard output
};

// An exit status: the command line asked for nothing but text, which is printed, or was wrong.
inline constexpr int kExitUsage = 2;
std::variant<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace assay::agent
