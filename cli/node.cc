#include "cli/node.h"

#include "assay/v1/operator.grpc.pb.h"
#include "cli/codec.h"
#include "cli/files.h"
#include "cli/options.h"
#include "cli/table.h"
#include "core/ak_public.h"
#include "core/text.h"

namespace assay {
namespace {

using Service = v1::OperatorService;

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

// One call about a node, and the node as it answers.
template <typename Request, typename Response>
Result<Response> call(const ServerOptions& server,
                      grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&,
                                                            Response*),
                      const Request& request) {
  ASSAY_TRY(const Client client, Client::open(server));
  const auto stub = client.stub<Service>();
  return client.call(*stub, method, request);
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
  return show_node(call(server_, &Service::Stub::EnrolNode, request), format_);
}

Exit NodeCommands::list() const {
  const auto got = call(server_, &Service::Stub::ListNodes, v1::ListNodesRequest());
  if (!got) return complain(got.error());
  print(format_ == Format::kJson ? format_nodes_json(*got) : format_nodes(*got));
  return Exit::kOk;
}

Exit NodeCommands::show() const {
  v1::GetNodeRequest request;
  request.set_name(name_);
  return show_node(call(server_, &Service::Stub::GetNode, request), format_);
}

Exit NodeCommands::attest() const {
  v1::AttestNodeRequest request;
  request.set_name(name_);
  return show_node(call(server_, &Service::Stub::AttestNode, request), format_);
}

Exit NodeCommands::acknowledge() const {
  v1::AcknowledgeNodeRequest request;
  request.set_name(name_);
  request.set_reason(reason_);
  const auto got = call(server_, &Service::Stub::AcknowledgeNode, request);
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

}  // namespace assay
