#include "verifier/access/push_token.h"

#include <array>

#include "core/text.h"
#include "verifier/entropy.h"

namespace assay {
namespace {

constexpr std::string_view kPrefix = "assay-push-";

}  // namespace

std::string make_push_token() {
  std::array<std::uint8_t, 32> random;
  fill_random(random);
  return std::string(kPrefix) + to_hex(random);
}

bool looks_like_push_token(std::string_view text) {
  return text.starts_with(kPrefix);
}

Digest push_token_hash(std::string_view token) {
  return hash(HashAlg::kSha256, as_bytes(token));
}

}  // namespace assay
