#include "verifier/services/authorise.h"

namespace assay {

std::string_view authorization_of(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto header = metadata.find("authorization");
  if (header == metadata.end()) return {};
  return {header->second.data(), header->second.size()};
}

grpc::Status authorise(const grpc::CallbackServerContext& context, const OperatorToken& token) {
  if (token.accepts(authorization_of(context))) return grpc::Status::OK;
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
      case FaultId::kGoldenUnsigned:
      case FaultId::kGoldenSignatureMissing:
      case FaultId::kGoldenSignerRefused:
      case FaultId::kGoldenNameRefused:
      case FaultId::kIdentityRefused:
        return grpc::StatusCode::PERMISSION_DENIED;
      case FaultId::kGoldenRevoked:
        return grpc::StatusCode::FAILED_PRECONDITION;
      case FaultId::kUnauthenticated:
      case FaultId::kPushTokenUnknown:
      case FaultId::kPushTokenExpired:
      case FaultId::kIdentityMalformed:
      case FaultId::kIdentityIssuer:
      case FaultId::kIdentityAlgorithm:
      case FaultId::kIdentityKeyUnknown:
      case FaultId::kIdentitySignature:
      case FaultId::kIdentityAudience:
      case FaultId::kIdentityNotYetValid:
      case FaultId::kIdentityExpired:
      case FaultId::kIdentityLifetime:
      case FaultId::kIdentityReplayed:
        return grpc::StatusCode::UNAUTHENTICATED;
      case FaultId::kUnavailable:
      case FaultId::kIdentityKeysUnavailable:
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
