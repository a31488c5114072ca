#include "cli/audit.h"

#include <nlohmann/json.hpp>

#include "assay/v1/golden.grpc.pb.h"
#include "cli/fault_row.h"
#include "cli/options.h"
#include "cli/table.h"
#include "core/text.h"

namespace assay {
namespace {

using Service = v1::GoldenService;
using Json = nlohmann::ordered_json;

Json to_json(const v1::AuditEntry& entry) {
  Json out;
  out["id"] = entry.id();
  out["at"] = format_time(entry.at_ms());
  out["actor"] = entry.actor();
  out["action"] = entry.action();
  out["subject"] = entry.subject();
  out["detail"] = escape_bytes(entry.detail());
  return out;
}

}  // namespace

AuditCommands::AuditCommands(CLI::App& app, Action& chosen) {
  CLI::App* noun = app.add_subcommand("audit", "who changed golden sets and push tokens");
  noun->require_subcommand(1);
  add_examples(*noun, "  assay audit list --limit 20");
  CLI::App* verb = noun->add_subcommand("list", "list changes, newest first");
  verb->add_option("--limit", limit_, "how many")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  verb->add_option("--before", before_, "from the one before this id")->check(CLI::PositiveNumber);
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb, "  assay audit list --json --before 1200");
  verb->callback([this, &chosen] { chosen = [this] { return list(); }; });
}

Exit AuditCommands::list() const {
  v1::ListAuditRequest request;
  request.set_limit(limit_);
  request.set_before_id(before_);
  const auto got = call_once<Service>(server_, &Service::Stub::ListAudit, request);
  if (!got) return complain(got.error());
  Json out;
  out["entries"] = Json::array();
  Table table({"ID", "AT", "WHO", "WHAT", "OF", "DETAIL"});
  for (const v1::AuditEntry& entry : got->entries()) {
    out["entries"].push_back(to_json(entry));
    table.add({std::to_string(entry.id()), format_time(entry.at_ms()), entry.actor(),
               entry.action(), entry.subject(), entry.detail()});
  }
  if (format_ == Format::kJson) {
    print(format_json(out));
  } else {
    print(got->entries().empty() ? "nothing was changed\n" : table.text());
  }
  return Exit::kOk;
}

}  // namespace assay
