#include "core/fault.h"

#include <array>

#include "core/text.h"

namespace assay {
namespace {

struct Row {
  std::string_view name;
  FaultClass fault_class;
  Severity severity;
  std::string_view meaning;
};

constexpr std::array kRows = {
#define ASSAY_FAULT_ROW(id, name, fault_class, severity, meaning) \
  Row{name, FaultClass::fault_class, Severity::severity, meaning},
    ASSAY_FAULTS(ASSAY_FAULT_ROW)
#undef ASSAY_FAULT_ROW
};

const Row& row(FaultId id) {
  return kRows[static_cast<std::size_t>(id)];
}

}  // namespace

std::string_view fault_name(FaultId id) {
  return row(id).name;
}
std::string_view fault_meaning(FaultId id) {
  return row(id).meaning;
}
FaultClass fault_class(FaultId id) {
  return row(id).fault_class;
}
Severity fault_severity(FaultId id) {
  return row(id).severity;
}

Severity severity_of(const Fault& fault) {
  return fault.severity.value_or(fault_severity(fault.id));
}

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kCritical:
      return "critical";
  }
  return "critical";
}

std::size_t fault_count() {
  return kRows.size();
}

std::optional<FaultId> fault_by_name(std::string_view name) {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<FaultId>(i);
  }
  return std::nullopt;
}

std::string format_fault(const Fault& fault) {
  std::string out(fault_name(fault.id));
  if (fault.entry) out += ": entry " + std::to_string(*fault.entry);
  if (!fault.path.empty()) out += ": " + escape_bytes(fault.path);
  if (fault.digest) out += " (" + format_digest(*fault.digest) + ")";
  if (!fault.detail.empty()) out += ": " + fault.detail;
  return out;
}

}  // namespace assay
