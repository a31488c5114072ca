// The command line of assay-verifier.
#pragma once

#include <filesystem>
#include <variant>

namespace assay {

inline constexpr int kExitUsage = 2;  // wrong command line or configuration

struct VerifierOptions {
  enum class Task { kServe, kCheckConfig };
  std::filesystem::path config = "/etc/assay/verifier.yaml";
  Task task = Task::kServe;
};

// What was asked for, or the exit status after help, version or a usage error was printed.
std::variant<VerifierOptions, int> parse_options(int argc, const char* const* argv);

}  // namespace assay
