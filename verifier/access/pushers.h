// Who pushes golden sets, and which.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "verifier/access/name_scope.h"
#include "verifier/clock.h"
#include "verifier/identity/identities.h"
#include "verifier/services/operator_token.h"
#include "verifier/store/store.h"

namespace assay {

// Somebody who has proven to be allowed to push.
struct Pusher {
  std::string name;  // in the audit: "operator", "token:ci", "github:repository_id=74 run_id=3"
  std::vector<NameScope> scopes;
  std::optional<TokenUse> token = {};  // of an identity

  // kGoldenNameRefused unless a scope covers the set's name.
  Status may_push(std::string_view set_name) const;
};

// Safe from any thread; borrows what it is given.
class Pushers {
 public:
  Pushers(Store& store, const Clock& clock, const OperatorToken& operators, Identities& identities)
      : store_(store), clock_(clock), operators_(operators), identities_(identities) {}

  // Of an HTTP header or gRPC metadata "authorization"; untrusted. The operators' token speaks for every
  // name, a push token for its scopes, and is marked as used; an identity token for those of the rules that
  // admit it. Fails with kUnauthenticated, kPushTokenUnknown, kPushTokenExpired, as
  // Identities::authenticate(), and as the store.
  Result<Pusher> authenticate(std::string_view authorization) const;

  // The last step before `content` is stored for `pusher`. Returns the key by which this is idempotent;
  // empty: none. Fails as Identities::claim().
  Result<std::string> claim(const Pusher& pusher, const PushContent& content) const;

 private:
  Store& store_;
  const Clock& clock_;
  const OperatorToken& operators_;
  Identities& identities_;
};

}  // namespace assay
