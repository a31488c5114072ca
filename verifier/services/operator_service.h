// The gRPC service that operators use: nodes and violations.
#pragma once

#include <memory>

#include "verifier/clock.h"
#include "verifier/ledger.h"
#include "verifier/services/operator_token.h"
#include "verifier/sessions/sessions.h"
#include "verifier/store/store.h"

namespace grpc {
class Service;
}

namespace assay {

struct OperatorWorld {
  Ledger& ledger;
  Sessions& sessions;
  Store& store;
  const Policy& policy;
  const Clock& clock;
  const OperatorToken& token;
};

// A service for a grpc::ServerBuilder; proto/assay/v1/operator.proto. Borrows what is in `world`.
std::unique_ptr<grpc::Service> make_operator_service(const OperatorWorld& world);

}  // namespace assay
