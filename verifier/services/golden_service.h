// The gRPC service that golden sets are pushed to.
#pragma once

#include <memory>

#include "verifier/clock.h"
#include "verifier/golden_index.h"
#include "verifier/services/operator_token.h"
#include "verifier/store/store.h"

namespace grpc {
class Service;
}

namespace assay {

// Sees the golden sets change: metrics.
class GoldenSink {
 public:
  virtual ~GoldenSink() = default;
  virtual void golden_changed(const GoldenSnapshot& snapshot) = 0;
};

struct GoldenWorld {
  Store& store;
  GoldenIndex& index;
  GoldenSink& sink;
  const Clock& clock;
  const OperatorToken& token;
};

// A service for a grpc::ServerBuilder; proto/assay/v1/golden.proto. Borrows what is in `world`.
std::unique_ptr<grpc::Service> make_golden_service(const GoldenWorld& world);

}  // namespace assay
