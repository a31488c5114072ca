#include "verifier/options.h"

#include <CLI/CLI.hpp>
#include <iostream>

namespace assay {
namespace {

constexpr const char* kAbout =
    "Challenges nodes, judges their evidence against golden sets, and alerts.";

constexpr const char* kExamples = R"(Examples:
  assay-verifier --config /etc/assay/verifier.yaml --check-config
  assay-verifier --config /etc/assay/verifier.yaml

Exit status: 0 done or told to stop, 1 cannot run, 2 wrong command line or configuration.)";

}  // namespace

std::variant<VerifierOptions, int> parse_options(int argc, const char* const* argv) {
  VerifierOptions out;
  CLI::App app(kAbout, "assay-verifier");
  app.footer(kExamples);
  app.set_version_flag("--version", "assay-verifier " ASSAY_VERSION);
  app.add_option("--config", out.config, "Configuration file")
      ->type_name("FILE")
      ->capture_default_str();
  const auto* check =
      app.add_flag("--check-config")->description("Check the configuration and end");
  // CLI11 throws; its exceptions end here.
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? 0 : kExitUsage;
  }
  if (*check) out.task = VerifierOptions::Task::kCheckConfig;
  return out;
}

}  // namespace assay
