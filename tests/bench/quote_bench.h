// verify_quote() against the signature check alone.
#pragma once

#include <nlohmann/json.hpp>

#include "tests/support/fake_tpm.h"

namespace assay::bench {

// Ours: verify_quote() of one quote over PCRs 0 to 15. The limit: OpenSSL's EVP_DigestVerify() of the
// same bytes and signature under the same key.
nlohmann::ordered_json quote_bench(testing::AkKind kind);

}  // namespace assay::bench
