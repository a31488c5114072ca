#include "verifier/store/message.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

// JSON doubles a backslash at worst in text that is escaped already, and makes six bytes of a
// control character in text that is not: 8 KiB of path and 6 KiB of detail.
constexpr std::size_t kMaxPathBytes = 4096;
constexpr std::size_t kMaxDetailBytes = 1024;

std::string format_message(std::string_view type, Instant at, Json body) {
  const Json message = {
      {"type", type}, {"timestamp", format_rfc3339(at)}, {"data", std::move(body)}};
  // `replace` puts U+FFFD for bytes that are not UTF-8; the default would throw.
  return message.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string format_rfc3339(Instant instant) {
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(instant - day);
  char out[64];
  const int size = std::snprintf(
      out, sizeof out, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
      static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return std::string(out, static_cast<std::size_t>(size));
}

std::string format_violation(const ViolationRecord& violation, NodeState state) {
  const Fault& fault = violation.fault;
  const Json entry = fault.entry ? Json(*fault.entry) : Json(nullptr);
  const Json digest = fault.digest ? Json(format_digest(*fault.digest)) : Json(nullptr);
  return format_message(kViolationDetected, violation.detected_at,
                        {{"id", static_cast<std::int64_t>(violation.id)},
                         {"node", violation.node},
                         {"fault",
                          {{"id", fault_name(fault.id)},
                           {"severity", severity_name(severity_of(fault))},
                           {"entry", entry},
                           {"path", shorten(escape_bytes(fault.path), kMaxPathBytes)},
                           {"digest", digest},
                           {"detail", shorten(fault.detail, kMaxDetailBytes)}}},
                         {"state", node_state_name(state)},
                         {"detected_at", format_rfc3339(violation.detected_at)}});
}

std::string format_state_change(const StateChange& change) {
  return format_message(kNodeStateChanged, change.at,
                        {{"node", change.node},
                         {"from", node_state_name(change.from)},
                         {"to", node_state_name(change.to)},
                         {"faults_total", change.faults_total}});
}

std::string format_summary(const Summary& summary) {
  return format_message(kViolationSummary, summary.at,
                        {{"node", summary.node},
                         {"state", node_state_name(summary.state)},
                         {"since", format_rfc3339(summary.since)},
                         {"violations", summary.violations},
                         {"state_changes", summary.state_changes}});
}

}  // namespace assay
