#include "cli/golden_life.h"

#include <nlohmann/json.hpp>

#include "assay/v1/golden.grpc.pb.h"
#include "cli/codec.h"
#include "cli/options.h"
#include "cli/table.h"

namespace assay {
namespace {

using Service = v1::GoldenService;
using Json = nlohmann::ordered_json;

void add_generation(CLI::App& verb, std::uint64_t& generation, const char* about) {
  verb.add_option("--generation", generation, about)->check(CLI::PositiveNumber);
}

void add_sets(const v1::ListGoldenResponse& got, Json& out) {
  out["sets"] = Json::array();
  for (const v1::GoldenSummary& set : got.sets()) out["sets"].push_back(to_json(set));
}

std::string and_more(std::uint64_t total, int listed) {
  const auto more = total - static_cast<std::uint64_t>(listed);
  return more == 0 ? "" : "and " + std::to_string(more) + " more\n";
}

const char* files_of(bool own) {
  return own ? "its own" : "of other sets, too";
}

std::string format_pods(const v1::ListGoldenRunsResponse& got) {
  std::string out;
  if (!got.pods().empty()) {
    Table table({"NODE", "POD", "NAME", "BY", "FIRST SEEN", "THIS BOOT", "FILES"});
    for (const v1::GoldenPodRun& run : got.pods()) {
      table.add({run.node(), run.label(), run.name().empty() ? "-" : run.name(), run.attribution(),
                 format_time(run.first_seen_ms()), run.this_boot() ? "yes" : "no",
                 files_of(run.own())});
    }
    out = "\n" + table.text() + and_more(got.pods_total(), got.pods_size());
  }
  for (const v1::GoldenRun& run : got.runs()) {
    if (!run.pods_incomplete()) continue;
    out += "node " + run.node() + " had more pods than are kept: the oldest are forgotten\n";
  }
  return out;
}

const char* is_there(const v1::GoldenPlacement& placed) {
  if (!placed.has_is_there()) return "-";
  return placed.is_there() ? "yes" : "no";
}

std::string format_placements(const v1::ListGoldenRunsResponse& got) {
  std::string out;
  if (!got.placements().empty()) {
    Table table({"NODE", "POD WITH ITS IMAGE", "NAME", "SAID BY", "FIRST SEEN", "THERE NOW"});
    for (const v1::GoldenPlacement& placed : got.placements()) {
      table.add({placed.node(), placed.pod(), placed.name(), placed.source(),
                 format_time(placed.first_seen_ms()), is_there(placed)});
    }
    out = "\n" + table.text() + and_more(got.placements_total(), got.placements_size());
  }
  for (const std::string& node : got.placements_incomplete()) {
    out += "node " + node + " had more images of pods than are kept: the oldest are forgotten\n";
  }
  return out;
}

std::string format_nodes(const v1::ListGoldenRunsResponse& got) {
  if (got.runs().empty()) return "no node was seen to run it\n";
  Table table({"NODE", "STATE", "FIRST SEEN", "THIS BOOT", "FILES"});
  for (const v1::GoldenRun& run : got.runs()) {
    table.add({run.node(), run.state(), format_time(run.first_seen_ms()),
               run.this_boot() ? "yes" : "no", files_of(run.own())});
  }
  return table.text() + and_more(got.total(), got.runs_size()) + format_pods(got);
}

std::string format_runs(const v1::ListGoldenRunsResponse& got) {
  return format_nodes(got) + format_placements(got);
}

void add_placements(const v1::ListGoldenRunsResponse& got, Json& out) {
  out["placements"] = Json::array();
  for (const v1::GoldenPlacement& placed : got.placements()) {
    Json& pod = out["placements"].emplace_back();
    pod["node"] = placed.node();
    pod["pod"] = placed.pod();
    pod["name"] = placed.name();
    pod["source"] = placed.source();
    pod["first_seen"] = format_time(placed.first_seen_ms());
    pod["is_there"] = placed.has_is_there() ? Json(placed.is_there()) : Json(nullptr);
  }
  out["placements_total"] = got.placements_total();
  out["placements_incomplete"] = Json::array();
  for (const std::string& node : got.placements_incomplete()) {
    out["placements_incomplete"].push_back(node);
  }
}

void add_runs(const v1::ListGoldenRunsResponse& got, Json& out) {
  out["nodes"] = Json::array();
  for (const v1::GoldenRun& run : got.runs()) {
    Json& node = out["nodes"].emplace_back();
    node["node"] = run.node();
    node["state"] = run.state();
    node["first_seen"] = format_time(run.first_seen_ms());
    node["this_boot"] = run.this_boot();
    node["own"] = run.own();
    node["pods_complete"] = !run.pods_incomplete();
  }
  out["nodes_total"] = got.total();
  out["pods"] = Json::array();
  for (const v1::GoldenPodRun& run : got.pods()) {
    Json& pod = out["pods"].emplace_back();
    pod["node"] = run.node();
    pod["attribution"] = run.attribution();
    pod["label"] = run.label();
    pod["name"] = run.name();
    pod["first_seen"] = format_time(run.first_seen_ms());
    pod["this_boot"] = run.this_boot();
    pod["own"] = run.own();
  }
  out["pods_total"] = got.pods_total();
  add_placements(got, out);
}

}  // namespace

std::string format_sets(const v1::ListGoldenResponse& got) {
  if (got.sets().empty()) return "no golden sets\n";
  Table table({"NAME", "GENERATION", "STATE", "FILES", "HASHES", "SIGNERS", "SOURCE", "PUSHED",
               "BY", "DIGEST"});
  for (const v1::GoldenSummary& set : got.sets()) {
    table.add({set.name(), std::to_string(set.generation()), set.state(),
               std::to_string(set.files()), std::to_string(set.hashes()),
               std::to_string(set.signers()), set.source(), format_time(set.pushed_at_ms()),
               set.pushed_by(), set.digest()});
  }
  return table.text();
}

std::string format_sets_json(const v1::ListGoldenResponse& got) {
  Json out;
  add_sets(got, out);
  return format_json(out);
}

void GoldenLife::add_to(CLI::App& noun, Action& chosen) {
  add_approve(noun, chosen);
  add_revoke(noun, chosen);
  add_nodes(noun, chosen);
  add_history(noun, chosen);
}

void GoldenLife::add_approve(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("approve", "let a draft, or an earlier generation, count");
  verb->add_option("NAME", name_, "the set's name")->required()->check(set_name());
  add_generation(*verb, generation_, "which one; without it, the draft");
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb,
               "  assay golden approve shop/web\n"
               "  assay golden approve shop/web --generation 3\n"
               "\n"
               "What counted before still does for golden.grace of the verifier's configuration.");
  verb->callback([this, &chosen] { chosen = [this] { return approve(); }; });
}

void GoldenLife::add_revoke(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("revoke", "let a set never count again");
  verb->add_option("NAME", name_, "the set's name")->required()->check(set_name());
  add_generation(*verb, generation_, "this one only; without it, all");
  verb->add_option("--reason", reason_, "why, for the audit")->required();
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(
      *verb,
      "  assay golden revoke shop/web --generation 3 --reason 'CVE-2026-1234'\n"
      "\n"
      "At once, and for good: the same set is not taken again under this name. Files that\n"
      "other sets have as well stay golden. Lists the nodes that ever ran it.");
  verb->callback([this, &chosen] { chosen = [this] { return revoke(); }; });
}

void GoldenLife::add_nodes(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("nodes", "list the nodes that ever ran a set");
  verb->add_option("NAME", name_, "the set's name")->required()->check(set_name());
  add_generation(*verb, generation_, "this one only; without it, any");
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb,
               "  assay golden nodes shop/web --generation 3\n"
               "\n"
               "From the history of proven logs, while the set counted. A node whose FILES are of\n"
               "other sets, too, may have had all of them from there.");
  verb->callback([this, &chosen] { chosen = [this] { return nodes(); }; });
}

void GoldenLife::add_history(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("history", "list the generations of a set, newest first");
  verb->add_option("NAME", name_, "the set's name")->required()->check(set_name());
  add_json_flag(*verb, format_);
  add_server_options(*verb, server_);
  add_examples(*verb, "  assay golden history shop/web");
  verb->callback([this, &chosen] { chosen = [this] { return history(); }; });
}

Exit GoldenLife::approve() const {
  v1::ApproveGoldenRequest request;
  request.set_name(name_);
  request.set_generation(generation_);
  const auto got = call_once<Service>(server_, &Service::Stub::Approve, request);
  if (!got) return complain(got.error());
  print(format_ == Format::kJson ? format_json(to_json(got->set()))
                                 : format_fields(fields_of(got->set())));
  return Exit::kOk;
}

Exit GoldenLife::revoke() const {
  v1::RevokeGoldenRequest request;
  request.set_name(name_);
  request.set_generation(generation_);
  request.set_reason(reason_);
  const auto got = call_once<Service>(server_, &Service::Stub::Revoke, request);
  if (!got) return complain(got.error());
  const auto ran = runs();
  if (!ran) return complain(ran.error());
  if (format_ == Format::kJson) {
    Json out;
    add_sets(*got, out);
    add_runs(*ran, out);
    print(format_json(out));
  } else {
    print(
        (got->sets().empty() ? "nothing: all of them were revoked already\n" : format_sets(*got)) +
        "\n" + format_runs(*ran));
  }
  return Exit::kOk;
}

Result<v1::ListGoldenRunsResponse> GoldenLife::runs() const {
  v1::ListGoldenRunsRequest request;
  request.set_name(name_);
  request.set_generation(generation_);
  return call_once<Service>(server_, &Service::Stub::ListRuns, request);
}

Exit GoldenLife::nodes() const {
  const auto got = runs();
  if (!got) return complain(got.error());
  if (format_ == Format::kJson) {
    Json out;
    add_runs(*got, out);
    print(format_json(out));
  } else {
    print(format_runs(*got));
  }
  return Exit::kOk;
}

Exit GoldenLife::history() const {
  v1::GoldenHistoryRequest request;
  request.set_name(name_);
  const auto got = call_once<Service>(server_, &Service::Stub::History, request);
  if (!got) return complain(got.error());
  print(format_ == Format::kJson ? format_sets_json(*got) : format_sets(*got));
  return Exit::kOk;
}

}  // namespace assay
