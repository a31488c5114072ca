#include "cli/codec.h"

#include "assay/v1/golden.pb.h"
#include "assay/v1/operator.pb.h"
#include "cli/table.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

Json time_or_null(std::int64_t milliseconds) {
  return milliseconds == 0 ? Json(nullptr) : Json(format_time(milliseconds));
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

FaultRow to_row(const v1::Fault& fault) {
  return {.id = fault.id(),
          .severity = fault.severity(),
          .entry = fault.has_entry() ? std::optional(fault.entry()) : std::nullopt,
          .path = fault.path(),
          .digest = fault.digest(),
          .detail = fault.detail()};
}

std::vector<FaultRow> rows_of(const v1::Node& node) {
  std::vector<FaultRow> out;
  for (const v1::Fault& fault : node.faults()) out.push_back(to_row(fault));
  return out;
}

std::string tpm_of(const v1::Node& node) {
  if (node.ek_id().empty()) return "not proven: the key was enrolled by hand";
  return node.ek_id() + (node.manufacturer().empty() ? "" : " (" + node.manufacturer() + ")");
}

}  // namespace

nlohmann::ordered_json to_json(const v1::GoldenSummary& set) {
  Json out;
  out["name"] = set.name();
  out["digest"] = set.digest();
  out["generation"] = set.generation();
  out["files"] = set.files();
  out["hashes"] = set.hashes();
  out["signers"] = set.signers();
  out["source"] = set.source();
  out["pushed_at"] = time_or_null(set.pushed_at_ms());
  out["pushed_by"] = set.pushed_by();
  out["signed_by"] = std::vector<std::string>(set.signed_by().begin(), set.signed_by().end());
  out["state"] = set.state();
  out["state_since"] = time_or_null(set.state_since_ms());
  out["state_by"] = set.state_by();
  out["reason"] = text_or_null(set.reason());
  out["golden_until"] = time_or_null(set.golden_until_ms());
  out["approved_by"] = text_or_null(set.approved_by());
  out["approved_at"] = time_or_null(set.approved_at_ms());
  return out;
}

Fields fields_of(const v1::GoldenImage& image) {
  Fields out;
  for (const std::string& name : image.names()) out.push_back({"image", name});
  for (const std::string& digest : image.digests()) out.push_back({"reported as", digest});
  for (const std::string& layer : image.layers()) out.push_back({"layer", layer});
  return out;
}

nlohmann::ordered_json to_json(const v1::GoldenImage& image) {
  Json out;
  out["names"] = std::vector<std::string>(image.names().begin(), image.names().end());
  out["digests"] = std::vector<std::string>(image.digests().begin(), image.digests().end());
  out["layers"] = std::vector<std::string>(image.layers().begin(), image.layers().end());
  return out;
}

nlohmann::ordered_json to_json(const v1::Node& node) {
  Json out;
  out["name"] = node.name();
  out["state"] = node.state();
  out["state_since"] = time_or_null(node.state_since_ms());
  out["connected"] = node.connected();
  out["last_verified_at"] = time_or_null(node.last_verified_ms());
  out["proven_entries"] = node.proven_entries();
  out["reset_count"] = node.reset_count();
  out["open_violations"] = node.open_violations();
  out["ak_fingerprint"] = node.ak_fingerprint();
  out["ek_id"] = text_or_null(node.ek_id());
  out["manufacturer"] = text_or_null(node.manufacturer());
  out["admitted_by"] = node.admitted_by();
  out["class"] = node.node_class();
  out["re_enrol_until"] = time_or_null(node.re_enrol_until_ms());
  out["last_rejection"] = text_or_null(node.last_rejection());
  out["last_rejected_at"] = time_or_null(node.last_rejection_ms());
  out["faults"] = Json::array();
  for (const FaultRow& row : rows_of(node)) out["faults"].push_back(to_json(row));
  out["faults_total"] = node.faults_total();
  return out;
}

nlohmann::ordered_json to_json(const v1::Violation& violation) {
  Json out;
  out["id"] = violation.id();
  out["node"] = violation.node();
  out["status"] = violation.status();
  out["detected_at"] = time_or_null(violation.detected_at_ms());
  out["acknowledged_at"] = time_or_null(violation.acknowledged_at_ms());
  out["acknowledgement"] = text_or_null(violation.acknowledgement());
  out["fault"] = to_json(row_of(violation));
  return out;
}

Fields fields_of(const v1::GoldenSummary& set) {
  Fields out = {{"name", set.name()},
                {"digest", set.digest()},
                {"generation", std::to_string(set.generation())},
                {"state", set.state() + " since " + format_time(set.state_since_ms()) + " by " +
                              set.state_by()},
                {"files", std::to_string(set.files())},
                {"hashes", std::to_string(set.hashes())},
                {"signers", std::to_string(set.signers())},
                {"source", set.source()},
                {"pushed", format_time(set.pushed_at_ms()) + " by " + set.pushed_by()}};
  for (const std::string& key : set.signed_by()) out.push_back({"signed by", key});
  if (!set.reason().empty()) out.push_back({"reason", set.reason()});
  if (set.golden_until_ms() != 0) {
    out.push_back({"golden until", format_time(set.golden_until_ms())});
  }
  return out;
}

std::string describe(const v1::Node& node) {
  std::string out = format_fields({{"node", node.name()},
                                   {"state", node.state()},
                                   {"since", format_time(node.state_since_ms())},
                                   {"connected", node.connected() ? "yes" : "no"},
                                   {"last verified", format_time(node.last_verified_ms())},
                                   {"proven entries", std::to_string(node.proven_entries())},
                                   {"resets", std::to_string(node.reset_count())},
                                   {"open violations", std::to_string(node.open_violations())},
                                   {"class", node.node_class()},
                                   {"key", node.ak_fingerprint()},
                                   {"TPM", tpm_of(node)},
                                   {"admitted by", node.admitted_by()},
                                   {"may enrol until", format_time(node.re_enrol_until_ms())},
                                   {"last rejection", node.last_rejection()},
                                   {"rejected", format_time(node.last_rejection_ms())},
                                   {"faults", std::to_string(node.faults_total())}});
  if (node.faults_total() == 0) return out;
  return out + '\n' + format_faults(rows_of(node), node.faults_total());
}

std::string describe(const v1::Violation& violation) {
  const FaultRow fault = row_of(violation);
  return format_fields({{"violation", std::to_string(violation.id())},
                        {"node", violation.node()},
                        {"status", violation.status()},
                        {"detected", format_time(violation.detected_at_ms())},
                        {"fault", fault.id},
                        {"severity", fault.severity},
                        {"entry", fault.entry ? std::to_string(*fault.entry) : ""},
                        {"path", fault.path},
                        {"digest", fault.digest},
                        {"detail", to_json(fault)["detail"].get<std::string>()},
                        {"acknowledged", format_time(violation.acknowledged_at_ms())},
                        {"reason", violation.acknowledgement()}});
}

FaultRow row_of(const v1::Violation& violation) {
  return to_row(violation.fault());
}

}  // namespace assay
