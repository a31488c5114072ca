#include "core/violation.h"

#include <algorithm>

namespace assay {
namespace {

// Where the Filesystem Hierarchy Standard wants files that change and that nobody runs.
constexpr std::string_view kDataDirectories[] = {"/var/log/", "/var/spool/", "/var/mail/",
                                                 "/var/cache/", "/run/log/"};
constexpr std::string_view kCodeDirectories[] = {"/bin/",   "/sbin/",   "/lib/",    "/lib32/",
                                                 "/lib64/", "/libx32/", "/libexec/"};
constexpr std::uint16_t kExecuteBits = 0111;

template <typename Range, typename Test>
bool any(const Range& range, Test test) {
  return std::ranges::any_of(range, test);
}

// "libc.so", "libc.so.6", "x.ko.xz"
bool is_code_name(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.ends_with(".so") || name.find(".so.") != std::string_view::npos ||
         name.ends_with(".ko") || name.find(".ko.") != std::string_view::npos;
}

bool has_execute_bit(const ImaEntry& entry) {
  const auto mode = entry.find(ImaField::kImode);
  if (!mode) return false;
  ByteReader reader(*mode);
  return (reader.u16(entry.order) & kExecuteBits) != 0;
}

}  // namespace

ViolationClass violation_class(const ImaEntry& entry) {
  const std::string_view path = entry.name;
  const bool data =
      any(kDataDirectories, [&](std::string_view dir) { return path.starts_with(dir); }) &&
      !any(kCodeDirectories,
           [&](std::string_view dir) { return path.find(dir) != std::string_view::npos; }) &&
      !is_code_name(path) && !has_execute_bit(entry);
  return data ? ViolationClass::kOther : ViolationClass::kExecutable;
}

Fault judge_violation(const ImaEntry& entry, const ViolationRules& rules) {
  const bool executable = violation_class(entry) == ViolationClass::kExecutable;
  const Enforcement enforce = executable ? rules.executables : rules.others;
  return {.id = FaultId::kImaViolation,
          .severity = enforce == Enforcement::kWarn ? Severity::kWarning : Severity::kCritical,
          .entry = entry.index,
          .path = std::string(entry.name),
          .detail = executable ? "the name is not authenticated; judged as an executable"
                               : "the name is not authenticated; judged as data by it"};
}

}  // namespace assay
