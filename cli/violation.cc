#include "cli/violation.h"

#include <algorithm>
#include <vector>

#include "assay/v1/operator.grpc.pb.h"
#include "cli/codec.h"
#include "cli/options.h"
#include "cli/table.h"

namespace assay {
namespace {

using Service = v1::OperatorService;

constexpr std::uint32_t kMaxPage = 1000;
constexpr std::uint32_t kMaxLimit = 100'000;

Result<std::vector<v1::Violation>> fetch(const Client& client, v1::ListViolationsRequest request,
                                         std::uint32_t limit) {
  const auto stub = client.stub<Service>();
  std::vector<v1::Violation> out;
  while (out.size() < limit) {
    const auto page = std::min(kMaxPage, limit - static_cast<std::uint32_t>(out.size()));
    request.set_limit(page);
    ASSAY_TRY(const v1::ListViolationsResponse got,
              client.call(*stub, &Service::Stub::ListViolations, request));
    out.insert(out.end(), got.violations().begin(), got.violations().end());
    if (static_cast<std::uint32_t>(got.violations_size()) < page) break;
    request.set_before_id(out.back().id());
  }
  return out;
}

std::string format_table(const std::vector<v1::Violation>& violations) {
  if (violations.empty()) return "no violations\n";
  Table table({"ID", "NODE", "STATUS", "DETECTED", "FAULT", "ENTRY", "PATH"});
  for (const v1::Violation& v : violations) {
    const FaultRow fault = row_of(v);
    table.add({std::to_string(v.id()), v.node(), v.status(), format_time(v.detected_at_ms()),
               fault.id, fault.entry ? std::to_string(*fault.entry) : "", fault.path});
  }
  return table.text();
}

std::string format_list(const std::vector<v1::Violation>& violations) {
  nlohmann::ordered_json out;
  out["violations"] = nlohmann::ordered_json::array();
  for (const v1::Violation& v : violations) out["violations"].push_back(to_json(v));
  return format_json(out);
}

}  // namespace

ViolationCommands::ViolationCommands(CLI::App& app, Action& chosen) {
  CLI::App* noun = app.add_subcommand("violation", "what nodes did that they must not");
  noun->require_subcommand(1);
  add_examples(*noun,
               "  assay violation list --open\n"
               "  assay violation show 17 --json");
  add_list(*noun, chosen);
  add_show(*noun, chosen);
}

void ViolationCommands::add_list(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("list", "list violations, newest first");
  verb->add_option("--node", node_, "of this node only")->check(node_name());
  verb->add_flag_callback(
      "--open", [this] { which_ = Which::kOpen; }, "open ones only");
  verb->add_option("--limit", limit_, "how many at most")
      ->check(CLI::Range(1U, kMaxLimit))
      ->capture_default_str();
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb,
               "  assay violation list --open --node worker-1\n"
               "  assay violation list --limit 1000 --json");
  verb->callback([this, &chosen] { chosen = [this] { return list(); }; });
}

void ViolationCommands::add_show(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("show", "show one violation");
  verb->add_option("ID", id_, "its number, as the list has it")->required();
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb, "  assay violation show 17");
  verb->callback([this, &chosen] { chosen = [this] { return show(); }; });
}

Exit ViolationCommands::list() const {
  const Result<Client> client = Client::open(server_);
  if (!client) return complain(client.error());
  v1::ListViolationsRequest request;
  request.set_node(node_);
  request.set_open_only(which_ == Which::kOpen);
  const auto violations = fetch(*client, std::move(request), limit_);
  if (!violations) return complain(violations.error());
  print(format_ == Format::kJson ? format_list(*violations) : format_table(*violations));
  return Exit::kOk;
}

Exit ViolationCommands::show() const {
  const Result<Client> client = Client::open(server_);
  if (!client) return complain(client.error());
  v1::GetViolationRequest request;
  request.set_id(id_);
  const auto got = client->call(*client->stub<Service>(), &Service::Stub::GetViolation, request);
  if (!got) return complain(got.error());
  const v1::Violation& violation = got->violation();
  print(format_ == Format::kJson ? format_json(to_json(violation)) : describe(violation));
  return Exit::kOk;
}

}  // namespace assay
