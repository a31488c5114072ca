#include "verifier/services/authorise.h"

namespace assay {

grpc::Status authorise(const grpc::CallbackServerContext& context, const OperatorToken& token) {
  const auto& metadata = context.client_metadata();
  const auto header = metadata.find("authorization");
  if (header != metadata.end() && token.accepts({header->second.data(), header->second.size()})) {
    return grpc::Status::OK;
  }
  return to_status({.id = FaultId::kUnauthenticated,
                    .detail = "give the operators' token with --token-file or ASSAY_TOKEN_FILE"});
}

grpc::Status to_status(const Fault& fault) {
  const auto code = [&] {
    switch (fault.id) {
      case FaultId::kNotFound:
        return grpc::StatusCode::NOT_FOUND;
      case FaultId::kAlreadyExists:
      case FaultId::kEnrolNameTaken:
      case FaultId::kEnrolEkTaken:
      case FaultId::kEnrolKeyChanged:
      case FaultId::kGoldenConflict:
        return grpc::StatusCode::ALREADY_EXISTS;
      case FaultId::kUnauthenticated:
        return grpc::StatusCode::UNAUTHENTICATED;
      case FaultId::kUnavailable:
      case FaultId::kStoreFailed:
        return grpc::StatusCode::UNAVAILABLE;
      case FaultId::kStoreFull:
      case FaultId::kGoldenTooLarge:
        return grpc::StatusCode::RESOURCE_EXHAUSTED;
      default:
        return grpc::StatusCode::INVALID_ARGUMENT;
    }
  }();
  return {code, format_fault(fault)};
}

}  // namespace assay
