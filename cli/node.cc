#include "cli/node.h"

#include "assay/v1/enrolment.grpc.pb.h"
#include "assay/v1/operator.grpc.pb.h"
#include "cli/boot.h"
#include "cli/codec.h"
#include "cli/files.h"
#include "cli/options.h"
#include "cli/table.h"
#include "core/ak_public.h"
#include "core/text.h"

namespace assay {
namespace {

using Service = v1::OperatorService;
using Enrolment = v1::EnrolmentService;

constexpr std::size_t kMaxAkBytes = 4096;
constexpr std::size_t kMaxReasonBytes = 1024;

// Reads a key and checks it as the verifier will: what is wrong with it is said here, by file.
Result<AkPublic> load_ak(const std::string& path) {
  ASSAY_TRY(const Bytes bytes,
            read_file(path, {.max_bytes = kMaxAkBytes, .too_large = FaultId::kAkMalformed}));
  Result<AkPublic> ak = parse_ak_public(bytes);
  if (!ak) return tl::unexpected<Fault>(with_subject(ak.error(), path));
  return ak;
}

std::string format_nodes(const v1::ListNodesResponse& got) {
  if (got.nodes().empty()) return "no nodes are enrolled\n";
  Table table({"NODE", "STATE", "SINCE", "CONNECTED", "LAST VERIFIED", "ENTRIES", "OPEN"});
  for (const v1::Node& node : got.nodes()) {
    table.add({node.name(), node.state(), format_time(node.state_since_ms()),
               node.connected() ? "yes" : "no", format_time(node.last_verified_ms()),
               std::to_string(node.proven_entries()), std::to_string(node.open_violations())});
  }
  return table.text();
}

std::string format_nodes_json(const v1::ListNodesResponse& got) {
  nlohmann::ordered_json out;
  out["nodes"] = nlohmann::ordered_json::array();
  for (const v1::Node& node : got.nodes()) {
    nlohmann::ordered_json item = to_json(node);
    item.erase("faults");  // a list leaves them out: [] would say that there are none
    out["nodes"].push_back(std::move(item));
  }
  return format_json(out);
}

std::string format_pending(const v1::ListPendingResponse& got) {
  if (got.tpms().empty()) return "no TPM waits for approval\n";
  Table table({"CLAIMS TO BE", "SINCE", "MANUFACTURER", "ENDORSEMENT KEY"});
  for (const v1::PendingTpm& tpm : got.tpms()) {
    table.add({tpm.name(), format_time(tpm.requested_at_ms()), tpm.manufacturer(), tpm.ek_id()});
  }
  return table.text();
}

std::string format_pending_json(const v1::ListPendingResponse& got) {
  nlohmann::ordered_json out;
  out["pending"] = nlohmann::ordered_json::array();
  for (const v1::PendingTpm& tpm : got.tpms()) {
    out["pending"].push_back({{"name", tpm.name()},
                              {"ek_id", tpm.ek_id()},
                              {"manufacturer", tpm.manufacturer()},
                              {"requested_at", format_time(tpm.requested_at_ms())}});
  }
  return format_json(out);
}

template <typename Response>
Exit show_node(const Result<Response>& got, Format format) {
  if (!got) return complain(got.error());
  print(format == Format::kJson ? format_json(to_json(got->node())) : describe(got->node()));
  return Exit::kOk;
}

}  // namespace

NodeCommands::NodeCommands(CLI::App& app, Action& chosen) {
  CLI::App* noun = app.add_subcommand("node", "the machines that are attested");
  noun->require_subcommand(1);
  add_examples(*noun,
               "  assay node enrol worker-1 --ak worker-1.ak.pub\n"
               "  assay node list\n"
               "  assay node attest worker-1");
  add_enrol(*noun, chosen);

  CLI::App* verb = noun->add_subcommand("list", "list all nodes");
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb, "  assay node list --json");
  choose(*verb, chosen, &NodeCommands::list);

  verb = add_verb(*noun, "show", "show one node and the faults of its last verdict");
  add_examples(*verb, "  assay node show worker-1");
  choose(*verb, chosen, &NodeCommands::show);

  verb = add_verb(*noun, "attest", "challenge a node now, and show what it is judged to be");
  add_examples(*verb, "  assay node attest worker-1 --timeout 60");
  choose(*verb, chosen, &NodeCommands::attest);

  verb = add_verb(*noun, "boot", "show what a node was seen to have booted");
  add_examples(
      *verb,
      "  assay node boot worker-1\n"
      "\n"
      "Digests, Secure Boot and command lines are proven by the TPM; the names of images and\n"
      "files are what the boot loader wrote beside them, and nothing proves those.");
  choose(*verb, chosen, &NodeCommands::boot);

  add_admission(*noun, chosen);
  add_acknowledge(*noun, chosen);
}

CLI::App* NodeCommands::add_verb(CLI::App& noun, const std::string& name, const std::string& what) {
  CLI::App* verb = noun.add_subcommand(name, what);
  verb->add_option("NAME", name_, "the node's name")->required()->check(node_name());
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  return verb;
}

void NodeCommands::add_enrol(CLI::App& noun, Action& chosen) {
  CLI::App* verb = add_verb(noun, "enrol", "bind a node's name to its attestation key");
  verb->add_option("--ak", ak_file_, "public key: TPM2B_PUBLIC (better) or PEM")->required();
  add_examples(*verb,
               "  assay node enrol worker-1 --ak worker-1.ak.pub\n"
               "\n"
               "A TPM2B_PUBLIC shows whether the key is bound to a TPM; a PEM cannot.");
  choose(*verb, chosen, &NodeCommands::enrol);
}

void NodeCommands::add_admission(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("pending", "list the TPMs that wait to become nodes");
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb, "  assay node pending");
  choose(*verb, chosen, &NodeCommands::pending);

  verb = add_verb(noun, "approve", "make a TPM that waits a node");
  verb->add_option("--ek", ek_id_, "the endorsement key, when several claim the name");
  add_examples(*verb, "  assay node approve worker-1");
  choose(*verb, chosen, &NodeCommands::approve);

  verb = add_verb(noun, "reject", "forget the TPMs that wait under a name");
  verb->add_option("--ek", ek_id_, "only the one with this endorsement key");
  add_examples(*verb, "  assay node reject worker-1");
  choose(*verb, chosen, &NodeCommands::reject);

  verb = add_verb(noun, "re-enrol", "let a node have other keys, once and within the hour");
  add_examples(*verb,
               "  assay node re-enrol worker-1\n"
               "\n"
               "For a TPM that was cleared or replaced. The node's connection ends; as soon as it\n"
               "enrols again, its open violations close and its history begins anew. Another TPM\n"
               "than before has to be admitted by a rule of the policy, as any other.");
  choose(*verb, chosen, &NodeCommands::re_enrol);
}

void NodeCommands::add_acknowledge(CLI::App& noun, Action& chosen) {
  CLI::App* verb =
      add_verb(noun, "acknowledge", "say that a node's open violations are dealt with");
  verb->add_option("--reason", reason_, "for the record, at most 1024 bytes")
      ->required()
      ->check(printable_text(kMaxReasonBytes));
  add_examples(*verb, "  assay node acknowledge worker-1 --reason \"reinstalled, ticket 4711\"");
  choose(*verb, chosen, &NodeCommands::acknowledge);
}

void NodeCommands::choose(CLI::App& verb, Action& chosen, Verb action) {
  verb.callback([this, &chosen, action] { chosen = [this, action] { return (this->*action)(); }; });
}

Exit NodeCommands::enrol() const {
  const Result<AkPublic> ak = load_ak(ak_file_);
  if (!ak) return complain(ak.error());
  v1::EnrolNodeRequest request;
  request.set_name(name_);
  request.set_ak_public(std::string(as_text(ak->encoded())));
  return show_node(call_once<Service>(server_, &Service::Stub::EnrolNode, request), format_);
}

Exit NodeCommands::list() const {
  const auto got = call_once<Service>(server_, &Service::Stub::ListNodes, v1::ListNodesRequest());
  if (!got) return complain(got.error());
  print(format_ == Format::kJson ? format_nodes_json(*got) : format_nodes(*got));
  return Exit::kOk;
}

Exit NodeCommands::show() const {
  v1::GetNodeRequest request;
  request.set_name(name_);
  return show_node(call_once<Service>(server_, &Service::Stub::GetNode, request), format_);
}

Exit NodeCommands::attest() const {
  v1::AttestNodeRequest request;
  request.set_name(name_);
  return show_node(call_once<Service>(server_, &Service::Stub::AttestNode, request), format_);
}

Exit NodeCommands::acknowledge() const {
  v1::AcknowledgeNodeRequest request;
  request.set_name(name_);
  request.set_reason(reason_);
  const auto got = call_once<Service>(server_, &Service::Stub::AcknowledgeNode, request);
  if (!got) return complain(got.error());
  if (format_ == Format::kJson) {
    nlohmann::ordered_json out;
    out["closed"] = got->closed();
    out["node"] = to_json(got->node());
    print(format_json(out));
  } else {
    print(std::to_string(got->closed()) + " violations closed\n" + describe(got->node()));
  }
  return Exit::kOk;
}

Exit NodeCommands::pending() const {
  const auto got =
      call_once<Enrolment>(server_, &Enrolment::Stub::ListPending, v1::ListPendingRequest());
  if (!got) return complain(got.error());
  print(format_ == Format::kJson ? format_pending_json(*got) : format_pending(*got));
  return Exit::kOk;
}

Exit NodeCommands::approve() const {
  v1::ApproveRequest request;
  request.set_name(name_);
  request.set_ek_id(ek_id_);
  return show_node(call_once<Enrolment>(server_, &Enrolment::Stub::Approve, request), format_);
}

Exit NodeCommands::reject() const {
  v1::RejectRequest request;
  request.set_name(name_);
  request.set_ek_id(ek_id_);
  const auto got = call_once<Enrolment>(server_, &Enrolment::Stub::Reject, request);
  if (!got) return complain(got.error());
  nlohmann::ordered_json out;
  out["rejected"] = got->rejected();
  print(format_ == Format::kJson ? format_json(out)
                                 : std::to_string(got->rejected()) + " forgotten\n");
  return Exit::kOk;
}

Exit NodeCommands::re_enrol() const {
  v1::ReEnrolRequest request;
  request.set_name(name_);
  const auto got = call_once<Enrolment>(server_, &Enrolment::Stub::ReEnrol, request);
  if (!got) return complain(got.error());
  nlohmann::ordered_json out;
  out["re_enrol_until"] = format_time(got->until_ms());
  print(format_ == Format::kJson
            ? format_json(out)
            : name_ + " may enrol again until " + format_time(got->until_ms()) + "\n");
  return Exit::kOk;
}

Exit NodeCommands::boot() const {
  v1::GetNodeBootRequest request;
  request.set_name(name_);
  const auto got = call_once<Service>(server_, &Service::Stub::GetNodeBoot, request);
  if (!got) return complain(got.error());
  print(format_ == Format::kJson ? format_json(to_json(*got)) : describe(*got));
  return Exit::kOk;
}

}  // namespace assay
