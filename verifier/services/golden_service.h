// The gRPC service that golden sets are pushed to.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "verifier/access/pushers.h"
#include "verifier/access/set_signers.h"
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
  virtual void golden_changed(const GoldenIndex::Contents& contents) = 0;
};

// What pushes have to bring, and what they become.
struct PushRules {
  std::vector<SignerRule> signers;
  GoldenState pushed = GoldenState::kApproved;
  std::chrono::milliseconds grace{};
};

struct GoldenWorld {
  Store& store;
  GoldenIndex& index;
  GoldenSink& sink;
  const Clock& clock;
  const OperatorToken& token;
  const Pushers& pushers;
  const PushRules& rules;
  std::function<void()> changed;  // after every change of a set
};

// A service for a grpc::ServerBuilder; proto/assay/v1/golden.proto. Borrows what is in `world`.
std::unique_ptr<grpc::Service> make_golden_service(const GoldenWorld& world);

}  // namespace assay
