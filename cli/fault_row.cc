#include "cli/fault_row.h"

#include <algorithm>
#include <set>

#include "cli/table.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr std::size_t kMaxRowsForPeople = 50;
constexpr std::size_t kShortDigest = 22;  // "sha256:" and six bytes
constexpr std::size_t kMaxPathForPeople = 200;

std::string_view meaning_of(std::string_view id) {
  const auto known = fault_by_name(id);
  return known ? fault_meaning(*known) : std::string_view();
}

}  // namespace

FaultRow row_of(const Fault& fault) {
  return {.id = std::string(fault_name(fault.id)),
          .severity = std::string(severity_name(severity_of(fault))),
          .entry = fault.entry,
          .path = fault.path,
          .digest = fault.digest ? format_digest(*fault.digest) : "",
          .detail = fault.detail};
}

nlohmann::ordered_json to_json(const FaultRow& fault) {
  nlohmann::ordered_json out;
  out["id"] = fault.id;
  out["severity"] = fault.severity;
  out["entry"] = nullptr;
  if (fault.entry) out["entry"] = *fault.entry;
  out["path"] = nullptr;
  if (fault.entry || !fault.path.empty()) out["path"] = escape_bytes(fault.path);
  out["digest"] = nullptr;
  if (!fault.digest.empty()) out["digest"] = fault.digest;
  out["detail"] = fault.detail.empty() ? std::string(meaning_of(fault.id)) : fault.detail;
  return out;
}

std::string format_faults(const std::vector<FaultRow>& faults, std::uint64_t total) {
  const std::size_t shown = std::min(faults.size(), kMaxRowsForPeople);
  Table table({"ENTRY", "FAULT", "SEVERITY", "DIGEST", "PATH", "DETAIL"});
  std::set<std::string> ids;
  for (std::size_t i = 0; i < shown; ++i) {
    const FaultRow& f = faults[i];
    table.add({f.entry ? std::to_string(*f.entry) : "", f.id, f.severity,
               shorten(f.digest, kShortDigest), shorten(f.path, kMaxPathForPeople), f.detail});
    ids.insert(f.id);
  }
  std::string out = table.text();
  for (const std::string& id : ids) {
    const std::string_view meaning = meaning_of(id);
    if (!meaning.empty()) out += escape_bytes(id) + ": " + std::string(meaning) + '\n';
  }
  if (total > shown) out += "and " + std::to_string(total - shown) + " more\n";
  return out;
}

std::string format_json(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace assay
