// Who pushes golden sets, and which.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "verifier/access/name_scope.h"
#include "verifier/clock.h"
#include "verifier/services/operator_token.h"
#include "verifier/store/store.h"

namespace assay {

// Somebody who has proven to be allowed to push.
struct Pusher {
  std::string name;  // in the audit: "operator", "token:ci"
  std::vector<NameScope> scopes;

  // kGoldenNameRefused unless a scope covers the set's name.
  Status may_push(std::string_view set_name) const;
};

// Safe from any thread; borrows what it is given.
class Pushers {
 public:
  Pushers(Store& store, const Clock& clock, const OperatorToken& operators)
      : store_(store), clock_(clock), operators_(operators) {}

  // Of an HTTP header or gRPC metadata "authorization"; untrusted. The operators' token speaks for every
  // name, a push token for its scopes, and is marked as used. Fails with kUnauthenticated,
  // kPushTokenUnknown, kPushTokenExpired, and as the store.
  Result<Pusher> authenticate(std::string_view authorization) const;

 private:
  Store& store_;
  const Clock& clock_;
  const OperatorToken& operators_;
};

}  // namespace assay
