#include "verifier/enrolment/join_token.h"

#include <array>

#include "core/text.h"
#include "verifier/entropy.h"

namespace assay {

std::string make_join_token() {
  std::array<std::uint8_t, 32> random;
  fill_random(random);
  return "assay-join-" + to_hex(random);
}

Digest join_token_hash(std::string_view token) {
  return hash(HashAlg::kSha256, as_bytes(token));
}

}  // namespace assay
