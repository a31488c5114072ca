// Push tokens: what a CI job shows so that its golden sets are taken.
#pragma once

#include <string>
#include <string_view>

#include "core/digest.h"

namespace assay {

// A new token: "assay-push-" and 32 bytes of the operating system's generator in hex. The verifier keeps
// its hash only. Aborts when there are no random bytes.
std::string make_push_token();

bool looks_like_push_token(std::string_view text);

// What is kept of a token, and looked up. The token has the entropy of a key, so that its plain hash
// tells nothing.
Digest push_token_hash(std::string_view token);

}  // namespace assay
