// The gRPC service with which operators decide who becomes a node.
#pragma once

#include <memory>

#include "verifier/services/operator_service.h"

namespace assay {

// A service for a grpc::ServerBuilder; proto/assay/v1/enrolment.proto. Borrows what is in `world`.
std::unique_ptr<grpc::Service> make_enrolment_service(const OperatorWorld& world);

}  // namespace assay
