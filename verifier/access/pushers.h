// Who pushes golden sets, and which.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "verifier/access/name_scope.h"
#include "verifier/clock.h"
#include "verifier/identity/client_rules.h"
#include "verifier/identity/identities.h"
#include "verifier/services/operator_token.h"
#include "verifier/store/store.h"

namespace assay {

// Somebody who has proven to be allowed to push.
struct Pusher {
  // In the audit: "operator", "token:ci", "github:repository_id=74 run_id=3", "certificate:spiffe://a/b".
  std::string name;
  std::vector<NameScope> scopes;
  std::optional<TokenUse> token = {};  // of an identity

  // kGoldenNameRefused unless a scope covers the set's name.
  Status may_push(std::string_view set_name) const;
};

// What a caller shows; untrusted, and borrowed.
struct PushCredentials {
  std::string_view authorization;      // the HTTP header or gRPC metadata; empty: none
  std::string_view client_chain = {};  // of verify_client_certificate(); empty: none
};

// Safe from any thread; borrows what it is given.
class Pushers {
 public:
  Pushers(Store& store, const Clock& clock, const OperatorToken& operators, Identities& identities,
          const std::vector<ClientAuthority>& clients)
      : store_(store),
        clock_(clock),
        operators_(operators),
        identities_(identities),
        clients_(clients) {}

  // The operators' token speaks for every name, a push token for its scopes, and is marked as used; an
  // identity token for those of the rules that admit it. A client certificate speaks for its rules where no
  // "authorization" is shown: one that is refused is not made good by a certificate.
  // Fails with kUnauthenticated, kPushTokenUnknown, kPushTokenExpired, as Identities::authenticate(), as
  // admit_client(), and as the store.
  Result<Pusher> authenticate(const PushCredentials& shown) const;

  // The last step before `content` is stored for `pusher`. Returns the key by which this is idempotent;
  // empty: none. Fails as Identities::claim().
  Result<std::string> claim(const Pusher& pusher, const PushContent& content) const;

 private:
  Store& store_;
  const Clock& clock_;
  const OperatorToken& operators_;
  Identities& identities_;
  const std::vector<ClientAuthority>& clients_;
};

}  // namespace assay
