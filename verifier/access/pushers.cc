#include "verifier/access/pushers.h"

#include "core/text.h"
#include "verifier/access/push_token.h"

namespace assay {
namespace {

constexpr std::string_view kScheme = "Bearer ";

Result<std::vector<NameScope>> scopes_of(const PushTokenRecord& token) {
  std::vector<NameScope> scopes;
  for (const std::string& pattern : token.scopes) {
    const auto scope = NameScope::parse(pattern);
    if (!scope) return fail(FaultId::kStoreFailed, "a push token's scope cannot be read");
    scopes.push_back(*scope);
  }
  return scopes;
}

}  // namespace

Status Pusher::may_push(std::string_view set_name) const {
  if (any_covers(scopes, set_name)) return {};
  return fail(FaultId::kGoldenNameRefused,
              name + " may not push sets called " + escape_bytes(set_name));
}

Result<Pusher> Pushers::authenticate(const PushCredentials& shown) const {
  const std::string_view authorization = shown.authorization;
  if (authorization.empty() && !shown.client_chain.empty()) {
    ASSAY_TRY(AdmittedClient client, admit_client(shown.client_chain, clients_, clock_.now()));
    return Pusher{.name = std::move(client.name), .scopes = std::move(client.scopes)};
  }
  if (operators_.accepts(authorization)) {
    return Pusher{.name = "operator", .scopes = {*NameScope::parse("*")}};
  }
  const std::string_view secret = authorization.starts_with(kScheme)
                                      ? authorization.substr(kScheme.size())
                                      : std::string_view();
  if (looks_like_identity_token(secret)) {
    ASSAY_TRY(AdmittedIdentity identity, identities_.authenticate(secret, clock_.now()));
    return Pusher{.name = std::move(identity.name),
                  .scopes = std::move(identity.scopes),
                  .token = identity.use};
  }
  if (!looks_like_push_token(secret)) {
    return fail(FaultId::kUnauthenticated,
                "give a token with --token-file or ASSAY_TOKEN_FILE: the operators', a push token, "
                "or an identity token; or a client certificate");
  }
  ASSAY_TRY(const PushTokenRecord token,
            store_.use_push_token(push_token_hash(secret), clock_.now()));
  ASSAY_TRY(std::vector<NameScope> scopes, scopes_of(token));
  return Pusher{.name = "token:" + token.name, .scopes = std::move(scopes)};
}

Result<std::string> Pushers::claim(const Pusher& pusher, const PushContent& content) const {
  if (!pusher.token) return content.idempotency_key;
  return identities_.claim(*pusher.token, content, clock_.now());
}

}  // namespace assay
