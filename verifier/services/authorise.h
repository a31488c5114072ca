// The check that every operator call begins with, and faults as gRPC statuses.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>
#include <string_view>

#include "verifier/services/operator_token.h"

namespace assay {

// What the call carries as "authorization", or nothing; untrusted. Valid as long as the context.
std::string_view authorization_of(const grpc::CallbackServerContext& context);

// The certificates that the TLS client has shown, PEM, its own first, or nothing; untrusted but for this: the
// client has the key of its own.
std::string client_chain_of(const grpc::CallbackServerContext& context);

// UNAUTHENTICATED unless the call carries the operators' token.
grpc::Status authorise(const grpc::CallbackServerContext& context, const OperatorToken& token);

// The status that tells a caller of `fault`: the fault's id stands before its detail.
grpc::Status to_status(const Fault& fault);

// Answers a unary call: what `work` says when the caller is authorised, else why not.
template <typename Work>
grpc::ServerUnaryReactor* answer(grpc::CallbackServerContext& context, const OperatorToken& token,
                                 const Work& work) {
  grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
  grpc::Status status = authorise(context, token);
  if (status.ok()) {
    if (const Status done = work(); !done) status = to_status(done.error());
  }
  reactor->Finish(status);
  return reactor;
}

}  // namespace assay
