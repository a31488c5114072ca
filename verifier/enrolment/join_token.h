// Join tokens: what an agent shows so that its TPM is let in.
#pragma once

#include <string>
#include <string_view>

#include "core/digest.h"

namespace assay {

// A new token: "assay-join-" and 32 bytes of the operating system's generator in hex. Whoever holds it
// can enrol a TPM; the verifier keeps its hash only. Aborts when there are no random bytes.
std::string make_join_token();

// What is kept of a token, and looked up. The token has the entropy of a key, so that its plain hash
// tells nothing.
Digest join_token_hash(std::string_view token);

}  // namespace assay
