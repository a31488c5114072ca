#include "verifier/services/operator_token.h"

#include <algorithm>

#include "verifier/secret_file.h"

namespace assay {
namespace {

constexpr std::string_view kScheme = "Bearer ";
constexpr std::size_t kMinTokenBytes = 32;
constexpr std::size_t kMaxTokenBytes = 256;

Digest digest(std::string_view token) {
  return hash(HashAlg::kSha256, as_bytes(token));
}

}  // namespace

OperatorToken::OperatorToken(std::string_view token) : hash_(digest(token)) {}

Result<OperatorToken> OperatorToken::load(const std::filesystem::path& file) {
  ASSAY_TRY(const std::string token, read_secret_file(file));
  const bool printable = std::ranges::all_of(token, [](char c) { return c > ' ' && c <= '~'; });
  if (token.size() < kMinTokenBytes || token.size() > kMaxTokenBytes || !printable) {
    return fail(FaultId::kConfigInvalid,
                file.string() +
                    ": an operator token is one line of 32 to 256 printable characters "
                    "without spaces; make one with `openssl rand -hex 32`");
  }
  return OperatorToken(token);
}

bool OperatorToken::accepts(std::string_view header) const {
  if (!header.starts_with(kScheme)) return false;
  return equal_secrets(digest(header.substr(kScheme.size())).bytes(), hash_.bytes());
}

}  // namespace assay
