// A node's history as its TPM counts it: the gap between two quotes.
#pragma once

#include <optional>

#include "core/result.h"
#include "core/tpm_quote.h"

namespace assay {

enum class Continuity : std::uint8_t {
  kSameBoot,         // the counters fit the last evidence, or there is none to compare with
  kRebooted,         // the TPM was reset since: the log starts anew
  kBootPcrsChanged,  // the counters fit, and a PCR that only a boot extends has moved
  kKernelReplaced,   // likewise, and a kernel that kexec started logs boot PCRs of another bank
};

// What may have happened between two quotes under one key.
//
//   last   the newest that was proven; none: nothing to compare with, and kSameBoot
//
// Only differences count, modulo 2^32, since a TPM adds a constant of its own to the counts of keys
// outside the endorsement and platform hierarchies, and to the firmware version.
//
//   resetCount grew            kRebooted. The clock may have gone back, since a TPM saves it now and
//                              then only: `safe` says whether it has, and nothing more. The firmware
//                              may be another one.
//   resetCount went back       kQuoteResetBackwards: TPM2_Clear, another TPM, or an old quote
//   resetCount is the same
//     restartCount grew        kSameBoot: the machine was suspended; the static PCRs are kept
//     restartCount went back   kQuoteClockBackwards
//     neither, clock went back kQuoteClockBackwards
//     firmware changed         kQuoteFirmwareChanged: a TPM runs new firmware after a reset only
//
// Pure. TPM 2.0 Library, Part 1, 36.2 to 36.7; Part 2, 10.11.1 (TPMS_CLOCK_INFO).
Result<Continuity> judge_continuity(const std::optional<TpmClock>& last, const TpmClock& now);

}  // namespace assay
