#include "cli/boot_policy.h"

#include "assay/v1/operator.grpc.pb.h"
#include "cli/boot.h"
#include "cli/clock.h"
#include "cli/options.h"
#include "golden/policy_draft.h"

namespace assay {

BootPolicyCommands::BootPolicyCommands(CLI::App& app, Action& chosen) {
  CLI::App* noun = app.add_subcommand("boot-policy", "what classes of nodes may boot");
  noun->require_subcommand(1);
  add_examples(*noun, "  assay boot-policy learn worker-1 > draft.yaml");

  CLI::App* verb =
      noun->add_subcommand("learn", "draft a class of the policy from what a node has booted");
  verb->add_option("NAME", name_, "the node's name")->required()->check(node_name());
  add_server_options(*verb, server_);
  add_examples(
      *verb,
      "  assay boot-policy learn worker-1 > draft.yaml\n"
      "  assay policy check draft.yaml\n"
      "\n"
      "A draft believes the node: read it, before it becomes what the others are held to.");
  verb->callback([this, &chosen] { chosen = [this] { return learn(); }; });
}

Exit BootPolicyCommands::learn() const {
  v1::GetNodeBootRequest request;
  request.set_name(name_);
  const auto got =
      call_once<v1::OperatorService>(server_, &v1::OperatorService::Stub::GetNodeBoot, request);
  if (!got) return complain(got.error());
  const auto facts = decode_boot_facts(got->facts());
  if (!facts) return complain(facts.error());
  print(format_boot_policy(*facts, got->node_class(), today()));
  return Exit::kOk;
}

}  // namespace assay
