#include "cli/boot.h"

#include "assay/v1/operator.pb.h"
#include "cli/table.h"
#include "core/text.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

Json secure_boot_json(const v1::BootFacts& facts) {
  if (facts.secure_boot() == v1::BootFacts::SECURE_BOOT_UNKNOWN) return nullptr;
  return facts.secure_boot() == v1::BootFacts::SECURE_BOOT_ON;
}

std::string secure_boot_words(const v1::BootFacts& facts) {
  switch (facts.secure_boot()) {
    case v1::BootFacts::SECURE_BOOT_ON:
      return "on";
    case v1::BootFacts::SECURE_BOOT_OFF:
      return "off";
    default:
      return "not proven";
  }
}

Json digests_json(const v1::BootItem& item) {
  Json out = Json::array();
  for (const std::string& digest : item.digests()) out.push_back(digest);
  return out;
}

std::string first_digest(const v1::BootItem& item) {
  return item.digests().empty() ? "" : item.digests(0);
}

Json images_json(const google::protobuf::RepeatedPtrField<v1::BootItem>& items) {
  Json out = Json::array();
  for (const v1::BootItem& item : items) {
    out.push_back({{"pcr", item.pcr()},
                   {"digests", digests_json(item)},
                   {"label", escape_bytes(item.name())}});
  }
  return out;
}

void add_images(Table& table, std::string_view kind,
                const google::protobuf::RepeatedPtrField<v1::BootItem>& items) {
  for (const v1::BootItem& item : items) {
    table.add({std::string(kind), std::to_string(item.pcr()), first_digest(item), item.name()});
  }
}

std::string format_measured(const v1::BootFacts& facts) {
  Table table({"MEASURED", "PCR", "DIGEST", "CALLED (NOT PROVEN)"});
  for (const v1::BootItem& variable : facts.variables()) {
    table.add({"variable " + variable.name(), "7", first_digest(variable), ""});
  }
  add_images(table, "application", facts.applications());
  add_images(table, "file", facts.files());
  return table.empty() ? "" : "\n" + table.text();
}

Result<std::vector<BootImage>> decode_images(
    const google::protobuf::RepeatedPtrField<v1::BootItem>& items) {
  std::vector<BootImage> out;
  for (const v1::BootItem& item : items) {
    const auto pcr = PcrIndex::from(item.pcr());
    if (!pcr) return fail(FaultId::kRequestInvalid, "the verifier names PCR over 23");
    BootImage image{.pcr = *pcr, .digests = {}, .label = item.name()};
    for (const std::string& text : item.digests()) {
      const auto digest = parse_digest(text);
      if (!digest) return fail(FaultId::kRequestInvalid, "the verifier sends no digest");
      image.digests.push_back(*digest);
    }
    out.push_back(std::move(image));
  }
  return out;
}

}  // namespace

nlohmann::ordered_json to_json(const v1::GetNodeBootResponse& boot) {
  const v1::BootFacts& facts = boot.facts();
  Json out;
  out["node"] = boot.name();
  out["class"] = boot.node_class();
  out["seen_at"] = format_time(boot.seen_at_ms());
  out["boot_log"] = facts.has_log();
  out["secure_boot"] = secure_boot_json(facts);
  out["command_lines"] = Json::array();
  for (const std::string& line : facts.command_lines()) {
    out["command_lines"].push_back(escape_bytes(line));
  }
  out["variables"] = Json::array();
  for (const v1::BootItem& variable : facts.variables()) {
    out["variables"].push_back(
        {{"name", escape_bytes(variable.name())}, {"digest", first_digest(variable)}});
  }
  out["applications"] = images_json(facts.applications());
  out["files"] = images_json(facts.files());
  out["pcrs"] = Json::array();
  for (const v1::BootPcr& pcr : facts.pcrs()) {
    out["pcrs"].push_back({{"pcr", pcr.index()}, {"digest", pcr.digest()}});
  }
  out["unlisted"] = facts.unlisted();
  return out;
}

std::string describe(const v1::GetNodeBootResponse& boot) {
  const v1::BootFacts& facts = boot.facts();
  std::vector<std::pair<std::string_view, std::string>> fields = {
      {"node", boot.name()},
      {"class", boot.node_class()},
      {"seen", format_time(boot.seen_at_ms())},
      {"boot log", facts.has_log() ? "replayed against the quoted PCRs" : "the node gives none"},
      {"Secure Boot", secure_boot_words(facts)}};
  for (const std::string& line : facts.command_lines()) fields.emplace_back("command line", line);
  if (facts.unlisted() > 0) fields.emplace_back("left out", std::to_string(facts.unlisted()));
  Table pcrs({"PCR", "VALUE"});
  for (const v1::BootPcr& pcr : facts.pcrs()) {
    pcrs.add({std::to_string(pcr.index()), pcr.digest()});
  }
  return format_fields(fields) + format_measured(facts) + "\n" + pcrs.text();
}

Result<BootFacts> decode_boot_facts(const v1::BootFacts& facts) {
  BootFacts out;
  out.has_log = facts.has_log();
  if (facts.secure_boot() != v1::BootFacts::SECURE_BOOT_UNKNOWN) {
    out.secure_boot = facts.secure_boot() == v1::BootFacts::SECURE_BOOT_ON;
  }
  out.unlisted = facts.unlisted();
  for (const v1::BootPcr& pcr : facts.pcrs()) {
    const auto index = PcrIndex::from(pcr.index());
    const auto digest = parse_digest(pcr.digest());
    if (!index || !digest) return fail(FaultId::kRequestInvalid, "the verifier sends no PCR value");
    out.pcrs.emplace(PcrSlot{digest->alg(), *index}, *digest);
  }
  for (const v1::BootItem& variable : facts.variables()) {
    const auto digest = parse_digest(first_digest(variable));
    if (!digest) return fail(FaultId::kRequestInvalid, "the verifier sends no digest");
    out.variables.push_back({.name = variable.name(), .digest = *digest});
  }
  ASSAY_TRY(out.applications, decode_images(facts.applications()));
  ASSAY_TRY(out.files, decode_images(facts.files()));
  out.command_lines.assign(facts.command_lines().begin(), facts.command_lines().end());
  return out;
}

}  // namespace assay
