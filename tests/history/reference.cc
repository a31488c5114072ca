#include "tests/history/reference.h"

namespace assay::testing {

Finding finding_of(const Fault& fault) {
  return {std::string(fault_name(fault.id)),
          fault.entry ? static_cast<std::int64_t>(*fault.entry) : std::int64_t{-1}};
}

Findings findings_in(const FaultList& faults) {
  Findings out;
  for (const Fault& fault : faults.listed()) out.insert(finding_of(fault));
  return out;
}

ImaBuilder log_of(const std::vector<Measured>& entries) {
  ImaBuilder out;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string path = "/file/" + std::to_string(i);
    switch (entries[i]) {
      case Measured::kBootAggregate:
        out.boot_aggregate({});
        break;
      case Measured::kGolden:
        out.file(path, digest_of("good"));
        break;
      case Measured::kUnknown:
        out.file(path, digest_of("evil " + path));
        break;
      case Measured::kViolation:
        out.violation(path);
        break;
    }
  }
  return out;
}

Findings findings_of(const std::vector<Measured>& entries, std::size_t count) {
  Findings out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto index = static_cast<std::int64_t>(i);
    if (entries[i] == Measured::kUnknown) out.emplace("ima.unknown_digest", index);
    if (entries[i] == Measured::kViolation) out.emplace("ima.violation", index);
  }
  return out;
}

}  // namespace assay::testing
