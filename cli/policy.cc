#include "cli/policy.h"

#include "cli/files.h"
#include "cli/options.h"

namespace assay {
namespace {

constexpr std::size_t kMaxPolicyBytes = std::size_t{1} << 20;

// How many namespaces a mode is written for.
std::string count_namespaces(const Policy& policy, NamespaceMode mode) {
  std::size_t count = 0;
  for (const NamespaceRule& rule : policy.namespaces) {
    if (rule.mode == mode) count += rule.names.size();
  }
  return std::to_string(count);
}

}  // namespace

Result<Policy> load_policy(const std::string& path) {
  ASSAY_TRY(const Bytes yaml,
            read_file(path, {.max_bytes = kMaxPolicyBytes, .too_large = FaultId::kConfigInvalid}));
  Result<Policy> policy = parse_policy(as_text(yaml));
  if (!policy) return tl::unexpected<Fault>(with_subject(policy.error(), path));
  return policy;
}

PolicyCommands::PolicyCommands(CLI::App& app, Action& chosen) {
  CLI::App* noun = app.add_subcommand("policy", "what the verifier holds nodes to");
  noun->require_subcommand(1);
  CLI::App* verb = noun->add_subcommand("check", "read a policy as the verifier does");
  verb->add_option("FILE", file_, "policy in YAML")->required();
  add_examples(*verb,
               "  assay policy check policy.yaml\n"
               "\n"
               "Exit status: 0 good, 3 not. deploy/policy.yaml.example explains every key.");
  verb->callback([this, &chosen] { chosen = [this] { return check(); }; });
}

Exit PolicyCommands::check() const {
  const Result<Policy> policy = load_policy(file_);
  if (!policy) return complain(policy.error());
  print("good: " + std::to_string(policy->classes.size()) + " classes of nodes, " +
        std::to_string(policy->admission.endorsement_keys.size()) + " endorsement keys listed, " +
        count_namespaces(*policy, NamespaceMode::kMonitor) + " namespaces monitored, " +
        count_namespaces(*policy, NamespaceMode::kWarn) + " warned of\n");
  return Exit::kOk;
}

}  // namespace assay
