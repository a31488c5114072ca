#include "cli/policy.h"

#include "cli/files.h"
#include "cli/options.h"

namespace assay {
namespace {

constexpr std::size_t kMaxPolicyBytes = std::size_t{1} << 20;

using Chosen = bool (*)(const NamespaceRule&);

// How many namespaces have a rule that is chosen.
std::size_t count_namespaces(const Policy& policy, Chosen chosen) {
  std::size_t count = 0;
  for (const NamespaceRule& rule : policy.namespaces) {
    if (chosen(rule)) count += rule.names.size();
  }
  return count;
}

// What the policy gives up in namespaces, in words.
std::string describe_namespaces(const Policy& policy) {
  const auto monitored = [](const NamespaceRule& rule) {
    return rule.mode == NamespaceMode::kMonitor;
  };
  const auto warned_of = [](const NamespaceRule& rule) {
    return rule.mode == NamespaceMode::kWarn;
  };
  const auto by_uid_range = [](const NamespaceRule& rule) {
    return rule.mode != NamespaceMode::kEnforce && rule.weakest == Attribution::kUidRange;
  };
  std::string out = std::to_string(count_namespaces(policy, monitored)) +
                    " namespaces monitored, " +
                    std::to_string(count_namespaces(policy, warned_of)) + " warned of";
  if (const std::size_t count = count_namespaces(policy, by_uid_range); count > 0) {
    out += ", " + std::to_string(count) +
           " of these by uid range as well, which any pod that may make user namespaces can show";
  }
  return out;
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
        describe_namespaces(*policy) + '\n');
  return Exit::kOk;
}

}  // namespace assay
