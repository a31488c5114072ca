#include "cli/push_token.h"

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

std::vector<std::string> scopes_of(const v1::PushToken& token) {
  return {token.scopes().begin(), token.scopes().end()};
}

Json to_json(const v1::PushToken& token) {
  Json out;
  out["name"] = token.name();
  out["scopes"] = scopes_of(token);
  out["created_at"] = format_time(token.created_at_ms());
  out["expires_at"] = format_time(token.expires_at_ms());
  out["last_used_at"] =
      token.last_used_at_ms() == 0 ? Json(nullptr) : Json(format_time(token.last_used_at_ms()));
  return out;
}

}  // namespace

PushTokenCommands::PushTokenCommands(CLI::App& app, Action& chosen) {
  CLI::App* noun = app.add_subcommand("push-token", "tokens with which CI pushes golden sets");
  noun->require_subcommand(1);
  add_examples(*noun,
               "  assay push-token create shop-ci --for shop/ --days 90\n"
               "  assay push-token list\n"
               "  assay push-token revoke shop-ci");
  add_create(*noun, chosen);

  CLI::App* verb = noun->add_subcommand("list", "list all tokens, without their secrets");
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb, "  assay push-token list --json");
  verb->callback([this, &chosen] { chosen = [this] { return list(); }; });

  verb = noun->add_subcommand("revoke", "end a token; the sets that it brought stay");
  verb->add_option("NAME", name_, "the token's name")->required()->check(token_name());
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb, "  assay push-token revoke shop-ci");
  verb->callback([this, &chosen] { chosen = [this] { return revoke(); }; });
}

void PushTokenCommands::add_create(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("create", "make a token, and print it once");
  verb->add_option("NAME", name_, "a name to know it by")->required()->check(token_name());
  verb->add_option("--for", scopes_,
                   "a set that it may push; shop/ is every set below shop, '*' is all; may be "
                   "repeated")
      ->required()
      ->allow_extra_args(false);
  verb->add_option("--days", days_, "how long it lasts")
      ->check(CLI::Range(1, 366))
      ->capture_default_str();
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(
      *verb,
      "  assay push-token create shop-ci --for shop/ --for base/debian\n"
      "\n"
      "Give it to `assay golden push` in a file: --token-file. It can do nothing else. The\n"
      "verifier keeps a hash of it: it cannot be shown again.");
  verb->callback([this, &chosen] { chosen = [this] { return create(); }; });
}

Exit PushTokenCommands::create() const {
  v1::CreatePushTokenRequest request;
  request.set_name(name_);
  for (const std::string& scope : scopes_) request.add_scopes(scope);
  request.set_lifetime_s(days_ * 24 * 3600);
  const auto got = call_once<Service>(server_, &Service::Stub::CreatePushToken, request);
  if (!got) return complain(got.error());
  Json out = to_json(got->token());
  out["secret"] = got->secret();
  print(format_ == Format::kJson ? format_json(out) : got->secret() + "\n");
  return Exit::kOk;
}

Exit PushTokenCommands::list() const {
  const auto got =
      call_once<Service>(server_, &Service::Stub::ListPushTokens, v1::ListPushTokensRequest());
  if (!got) return complain(got.error());
  Json out;
  out["tokens"] = Json::array();
  Table table({"TOKEN", "FOR", "EXPIRES", "LAST USED"});
  for (const v1::PushToken& token : got->tokens()) {
    out["tokens"].push_back(to_json(token));
    table.add({token.name(), join_words(scopes_of(token)), format_time(token.expires_at_ms()),
               format_time(token.last_used_at_ms())});
  }
  if (format_ == Format::kJson) {
    print(format_json(out));
  } else {
    print(got->tokens().empty() ? "there are no push tokens\n" : table.text());
  }
  return Exit::kOk;
}

Exit PushTokenCommands::revoke() const {
  v1::RevokePushTokenRequest request;
  request.set_name(name_);
  const auto got = call_once<Service>(server_, &Service::Stub::RevokePushToken, request);
  if (!got) return complain(got.error());
  Json out;
  out["revoked"] = name_;
  print(format_ == Format::kJson ? format_json(out) : name_ + " is revoked\n");
  return Exit::kOk;
}

}  // namespace assay
