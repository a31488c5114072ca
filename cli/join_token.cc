#include "cli/join_token.h"

#include <nlohmann/json.hpp>

#include "assay/v1/enrolment.grpc.pb.h"
#include "cli/fault_row.h"
#include "cli/options.h"
#include "cli/table.h"

namespace assay {
namespace {

using Service = v1::EnrolmentService;

nlohmann::ordered_json to_json(const v1::JoinToken& token) {
  nlohmann::ordered_json out;
  out["name"] = token.name();
  out["manufacturer"] = token.manufacturer().empty() ? nlohmann::ordered_json(nullptr)
                                                     : nlohmann::ordered_json(token.manufacturer());
  out["uses_left"] = token.uses_left();
  out["created_at"] = format_time(token.created_at_ms());
  out["expires_at"] = format_time(token.expires_at_ms());
  out["last_used_at"] = token.last_used_at_ms() == 0
                            ? nlohmann::ordered_json(nullptr)
                            : nlohmann::ordered_json(format_time(token.last_used_at_ms()));
  return out;
}

}  // namespace

JoinTokenCommands::JoinTokenCommands(CLI::App& app, Action& chosen) {
  CLI::App* noun = app.add_subcommand("join-token", "tokens with which machines enrol themselves");
  noun->require_subcommand(1);
  add_examples(*noun,
               "  assay join-token create rack-7 --uses 40 --hours 48\n"
               "  assay join-token list\n"
               "  assay join-token revoke rack-7");
  add_create(*noun, chosen);

  CLI::App* verb = noun->add_subcommand("list", "list all tokens, without their secrets");
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb, "  assay join-token list --json");
  verb->callback([this, &chosen] { chosen = [this] { return list(); }; });

  verb = noun->add_subcommand("revoke", "end a token; the nodes that it admitted stay");
  verb->add_option("NAME", name_, "the token's name")->required()->check(token_name());
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb, "  assay join-token revoke rack-7");
  verb->callback([this, &chosen] { chosen = [this] { return revoke(); }; });
}

void JoinTokenCommands::add_create(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("create", "make a token, and print it once");
  verb->add_option("NAME", name_, "a name to know it by")->required()->check(token_name());
  verb->add_option("--uses", uses_, "machines that it may admit")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  verb->add_option("--hours", hours_, "how long it lasts")
      ->check(CLI::Range(1, 366 * 24))
      ->capture_default_str();
  verb->add_option("--manufacturer", manufacturer_,
                   "admit this vendor's TPMs only, such as id:49465800 (Infineon)");
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb,
               "  assay join-token create rack-7 --uses 40 --hours 48\n"
               "\n"
               "Write the token to the file that join_token_file of the agents names, mode 0600.\n"
               "The verifier keeps a hash of it: it cannot be shown again.");
  verb->callback([this, &chosen] { chosen = [this] { return create(); }; });
}

Exit JoinTokenCommands::create() const {
  v1::CreateJoinTokenRequest request;
  request.set_name(name_);
  request.set_manufacturer(manufacturer_);
  request.set_uses(uses_);
  request.set_lifetime_s(hours_ * 3600);
  const auto got = call_once<Service>(server_, &Service::Stub::CreateJoinToken, request);
  if (!got) return complain(got.error());
  nlohmann::ordered_json out = to_json(got->token());
  out["secret"] = got->secret();
  print(format_ == Format::kJson ? format_json(out) : got->secret() + "\n");
  return Exit::kOk;
}

Exit JoinTokenCommands::list() const {
  const auto got =
      call_once<Service>(server_, &Service::Stub::ListJoinTokens, v1::ListJoinTokensRequest());
  if (!got) return complain(got.error());
  nlohmann::ordered_json out;
  out["tokens"] = nlohmann::ordered_json::array();
  Table table({"TOKEN", "USES LEFT", "EXPIRES", "LAST USED", "MANUFACTURER"});
  for (const v1::JoinToken& token : got->tokens()) {
    out["tokens"].push_back(to_json(token));
    table.add({token.name(), std::to_string(token.uses_left()), format_time(token.expires_at_ms()),
               format_time(token.last_used_at_ms()),
               token.manufacturer().empty() ? "any" : token.manufacturer()});
  }
  if (format_ == Format::kJson) {
    print(format_json(out));
  } else {
    print(got->tokens().empty() ? "there are no join tokens\n" : table.text());
  }
  return Exit::kOk;
}

Exit JoinTokenCommands::revoke() const {
  v1::RevokeJoinTokenRequest request;
  request.set_name(name_);
  const auto got = call_once<Service>(server_, &Service::Stub::RevokeJoinToken, request);
  if (!got) return complain(got.error());
  nlohmann::ordered_json out;
  out["revoked"] = name_;
  print(format_ == Format::kJson ? format_json(out) : name_ + " is revoked\n");
  return Exit::kOk;
}

}  // namespace assay
