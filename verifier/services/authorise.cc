#include "verifier/services/authorise.h"

#include <grpc/grpc_security_constants.h>

#include "verifier/services/refusal.h"

namespace assay {
namespace {

grpc::StatusCode code_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kUnauthenticated:
      return grpc::StatusCode::UNAUTHENTICATED;
    case Refusal::kForbidden:
      return grpc::StatusCode::PERMISSION_DENIED;
    case Refusal::kNotFound:
      return grpc::StatusCode::NOT_FOUND;
    case Refusal::kConflict:
      return grpc::StatusCode::ALREADY_EXISTS;
    case Refusal::kRevoked:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case Refusal::kBusy:
    case Refusal::kUnavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case Refusal::kTooLarge:
    case Refusal::kFull:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case Refusal::kInvalid:
    case Refusal::kMalformed:
    case Refusal::kOther:
      break;
  }
  return grpc::StatusCode::INVALID_ARGUMENT;
}

}  // namespace

std::string_view authorization_of(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto header = metadata.find("authorization");
  if (header == metadata.end()) return {};
  return {header->second.data(), header->second.size()};
}

std::string client_chain_of(const grpc::CallbackServerContext& context) {
  const auto peer = context.auth_context();
  std::string out;
  if (peer == nullptr) return out;
  for (const char* property :
       {GRPC_X509_PEM_CERT_PROPERTY_NAME, GRPC_X509_PEM_CERT_CHAIN_PROPERTY_NAME}) {
    for (const grpc::string_ref& pem : peer->FindPropertyValues(property)) {
      out.append(pem.data(), pem.size());
    }
  }
  return out;
}

grpc::Status authorise(const grpc::CallbackServerContext& context, const OperatorToken& token) {
  if (token.accepts(authorization_of(context))) return grpc::Status::OK;
  return to_status({.id = FaultId::kUnauthenticated,
                    .detail = "give the operators' token with --token-file or ASSAY_TOKEN_FILE"});
}

grpc::Status to_status(const Fault& fault) {
  return {code_of(refusal_of(fault.id)), format_fault(fault)};
}

}  // namespace assay
