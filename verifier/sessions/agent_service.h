// The gRPC service that agents dial.
#pragma once

#include <memory>

#include "verifier/sessions/sessions.h"

namespace grpc {
class Service;
}

namespace assay {

// A service for a grpc::ServerBuilder; proto/assay/v1/agent.proto. Borrows `sessions`.
std::unique_ptr<grpc::Service> make_agent_service(Sessions& sessions);

}  // namespace assay
