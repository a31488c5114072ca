// assay: golden sets, nodes, violations and evidence, from the command line.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "cli/audit.h"
#include "cli/boot_policy.h"
#include "cli/command.h"
#include "cli/evidence.h"
#include "cli/golden.h"
#include "cli/join_token.h"
#include "cli/node.h"
#include "cli/options.h"
#include "cli/policy.h"
#include "cli/push_token.h"
#include "cli/violation.h"
#include "core/text.h"
#include "golden/posix.h"

namespace assay {
namespace {

// Whether everything printed has arrived: a full disk must not look like an answer.
Exit flushed(Exit exit) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit;
  return complain(Exit::kUsage, "standard output cannot be written: " + errno_text());
}

int run(int argc, char** argv) {
  CLI::App app("Remote attestation of Kubernetes nodes: what runs, against what may run.", "assay");
  app.set_version_flag("--version", "assay " ASSAY_VERSION);
  app.require_subcommand(1);
  add_examples(app,
               "  assay golden build --rootfs /mnt --name host/debian-12 -o host.json\n"
               "  assay golden push host.json --ca ca.pem --token-file token\n"
               "  assay node enrol worker-1 --ak worker-1.ak.pub\n"
               "  assay node list\n"
               "  assay violation list --open\n"
               "  assay evidence verify bundle/ --golden host.json\n"
               "\n"
               "ASSAY_SERVER, ASSAY_CA and ASSAY_TOKEN_FILE stand for --server, --ca and\n"
               "--token-file. Exit status: 0 answered, 1 refused or not found, 3 a bad option, a\n"
               "file that cannot be used or a verifier that cannot be reached.");
  Action chosen;
  const AuditCommands audit(app, chosen);
  const BootPolicyCommands boot_policy(app, chosen);
  const EvidenceCommands evidence(app, chosen);
  const GoldenCommands golden(app, chosen);
  const JoinTokenCommands join_token(app, chosen);
  const NodeCommands node(app, chosen);
  const PolicyCommands policy(app, chosen);
  const PushTokenCommands push_token(app, chosen);
  const ViolationCommands violation(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help and --version
    app.exit(e);
    return static_cast<int>(flushed(Exit::kOk));
  } catch (const CLI::ParseError& e) {
    return static_cast<int>(complain(Exit::kUsage, escape_bytes(e.what()) + "; --help shows how"));
  }
  return static_cast<int>(flushed(chosen()));
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  // gRPC's own log lines would stand around our one; a user who wants them sets the variable.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
  return assay::run(argc, argv);
}
