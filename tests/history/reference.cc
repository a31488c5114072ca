#include "tests/history/reference.h"

namespace assay::testing {

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
