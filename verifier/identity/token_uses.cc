#include "verifier/identity/token_uses.h"

namespace assay {

Status TokenUses::claim(const TokenUse& use, const PushContent& content, Instant now) {
  return tokens_.with([&](std::map<Digest, Token>& tokens) -> Status {
    std::erase_if(tokens, [&](const auto& each) { return each.second.until <= now; });
    if (!tokens.contains(use.token) && tokens.size() >= kMaxTokensInUse) {
      return fail(FaultId::kUnavailable, "too many identity tokens are in use; try again later");
    }
    Token& token =
        tokens.try_emplace(use.token, Token{.until = use.until, .pushed = {}}).first->second;
    const auto before = token.pushed.find(content.set_name);
    if (before == token.pushed.end()) {
      if (token.pushed.size() >= kMaxNamesOfToken) {
        return fail(FaultId::kIdentityReplayed, "it has pushed 256 names: get a new one");
      }
      token.pushed.emplace(content.set_name, content);
      return {};
    }
    if (before->second.set == content.set &&
        before->second.idempotency_key == content.idempotency_key) {
      return {};
    }
    return fail(FaultId::kIdentityReplayed, "get a new token for each content of a set");
  });
}

}  // namespace assay
