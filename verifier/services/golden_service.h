// The gRPC service that golden sets are pushed to and read from.
#pragma once

#include <memory>

#include "verifier/services/golden_sets.h"

namespace grpc {
class Service;
}

namespace assay {

// A service for a grpc::ServerBuilder; proto/assay/v1/golden.proto. Borrows `sets` and what is in `world`.
std::unique_ptr<grpc::Service> make_golden_service(GoldenSets& sets, const GoldenWorld& world);

}  // namespace assay
