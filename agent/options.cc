#include "agent/options.h"

#include <CLI/CLI.hpp>
#include <iostream>

namespace assay::agent {
namespace {

constexpr const char* kAbout =
    "Answers a verifier's challenges with TPM quotes and the kernel's measurement log.";

constexpr const char* kExamples = R"(Examples:
  assay-agent --config /etc/assay/agent.yaml --check-config
  assay-agent --config /etc/assay/agent.yaml --print-ak node1.ak   (then: assay node enrol node1 --ak node1.ak)
  assay-agent --config /etc/assay/agent.yaml

Exit status: 0 done or told to stop, 1 cannot run, 2 wrong command line or configuration.)";

}  // namespace

std::variant<Options, int> parse_options(int argc, const char* const* argv) {
  Options out;
  CLI::App app(kAbout, "assay-agent");
  app.footer(kExamples);
  app.set_version_flag("--version", "assay-agent " ASSAY_VERSION);
  app.add_option("--config", out.config, "Configuration file")
      ->type_name("FILE")
      ->capture_default_str();
  auto* check = app.add_flag("--check-config")->description("Check the configuration and end");
  auto* print = app.add_option("--print-ak", out.ak_file,
                               "Write the attestation key (TPM2B_PUBLIC), made if need be, to FILE "
                               "or standard output, and end")
                    ->type_name("FILE|-")
                    ->excludes(check);
  // CLI11 throws; its exceptions end here.
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? 0 : kExitUsage;
  }
  if (*check) out.task = Options::Task::kCheckConfig;
  if (*print) out.task = Options::Task::kPrintAk;
  return out;
}

}  // namespace assay::agent
