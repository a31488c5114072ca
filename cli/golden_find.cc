#include "cli/golden_find.h"

#include <nlohmann/json.hpp>

#include "assay/v1/golden.grpc.pb.h"
#include "cli/codec.h"
#include "cli/options.h"
#include "cli/table.h"
#include "core/digest.h"
#include "core/text.h"

namespace assay {
namespace {

using Service = v1::GoldenService;
using Json = nlohmann::ordered_json;

CLI::Validator digest_text() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        return parse_digest(text) ? "" : "a digest is sha256:HEX, or likewise sha1, sha384, sha512";
      },
      "");
}

// "shop/web, cart" of the names that an image has.
std::string joined(const v1::GoldenOrigin& origin) {
  std::string out;
  for (const std::string& name : origin.images()) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string format_origins(const v1::FindDigestResponse& got) {
  if (got.origins().empty()) return "no golden set has it\n";
  Table table({"SET", "GENERATION", "STATE", "PATH", "LAYER", "IMAGE", "APPROVED BY", "APPROVED"});
  for (const v1::GoldenOrigin& origin : got.origins()) {
    const v1::GoldenSummary& set = origin.set();
    const bool approved = set.approved_at_ms() != 0;
    table.add({set.name(), std::to_string(set.generation()), set.state(), origin.path(),
               origin.layer(), joined(origin), set.approved_by(),
               approved ? format_time(set.approved_at_ms()) : ""});
  }
  const auto more = got.total() - static_cast<std::uint64_t>(got.origins_size());
  return table.text() + (more == 0 ? "" : "and " + std::to_string(more) + " more\n");
}

Json to_json(const v1::FindDigestResponse& got) {
  Json out;
  out["files"] = Json::array();
  for (const v1::GoldenOrigin& origin : got.origins()) {
    Json& file = out["files"].emplace_back();
    file["path"] = escape_bytes(origin.path());
    file["layer"] = origin.layer().empty() ? Json(nullptr) : Json(origin.layer());
    file["images"] = std::vector<std::string>(origin.images().begin(), origin.images().end());
    file["set"] = assay::to_json(origin.set());
  }
  out["files_total"] = got.total();
  return out;
}

}  // namespace

void GoldenFind::add_to(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("find", "say which sets have a digest, and where");
  verb->add_option("DIGEST", digest_, "of a file: sha256:HEX")->required()->check(digest_text());
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb,
               "  assay golden find sha256:$(sha256sum /usr/bin/ls | cut -d' ' -f1)\n"
               "\n"
               "In every generation that is kept: also in drafts, and in sets that were revoked.");
  verb->callback([this, &chosen] { chosen = [this] { return find(); }; });
}

Exit GoldenFind::find() const {
  v1::FindDigestRequest request;
  request.set_digest(digest_);
  const auto got = call_once<Service>(server_, &Service::Stub::FindDigest, request);
  if (!got) return complain(got.error());
  print(format_ == Format::kJson ? format_json(to_json(*got)) : format_origins(*got));
  return Exit::kOk;
}

}  // namespace assay
