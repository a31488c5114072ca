// The policy document for offline appraisal.
#pragma once

#include "core/result.h"
#include "core/tpm_quote.h"

namespace assay {

// Reads a policy in YAML. Known keys:
//   allow_sha1: true | false   SHA-1 signatures, and a SHA-1 bank as the only one with the IMA PCR
//
//   yaml   at most 1 MiB, from the user
//
// A key that is left out has its safe default. Fails with kConfigInvalid, naming line and key, for
// a key that is unknown or given twice, a value of another type, or text that is not YAML. Pure.
Result<QuotePolicy> parse_policy(std::string_view yaml);

}  // namespace assay
