#include "core/history.h"

#include <string>

namespace assay {

Result<Continuity> judge_continuity(const std::optional<TpmClock>& last, const TpmClock& now) {
  if (!last) return Continuity::kSameBoot;
  const auto resets = static_cast<std::int32_t>(now.reset_count - last->reset_count);
  if (resets < 0) {
    return fail(FaultId::kQuoteResetBackwards, "by " + std::to_string(-std::int64_t{resets}));
  }
  if (resets > 0) return Continuity::kRebooted;
  const auto restarts = static_cast<std::int32_t>(now.restart_count - last->restart_count);
  if (restarts < 0) return fail(FaultId::kQuoteClockBackwards, "restart count went back");
  if (restarts == 0 && now.clock_ms < last->clock_ms) {
    return fail(FaultId::kQuoteClockBackwards,
                "clock went back by " + std::to_string(last->clock_ms - now.clock_ms) + " ms");
  }
  if (now.firmware_version != last->firmware_version) {
    return fail(FaultId::kQuoteFirmwareChanged, "");
  }
  return Continuity::kSameBoot;
}

}  // namespace assay
