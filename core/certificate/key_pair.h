// A certificate with its private key, as TLS needs them.
#pragma once

#include <string>

#include "core/result.h"

namespace assay {

// Whether the first certificate of `chain` is PEM, `key` an unencrypted private key in PEM, and the two
// belong together; kConfigInvalid saying which is not so. Pure.
Status check_key_pair(const std::string& chain, const std::string& key);

}  // namespace assay
