// The verifier's gRPC services, as an operator calls them.
#pragma once

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "core/result.h"

namespace assay {

struct ServerOptions {
  std::string server = "127.0.0.1:7443";  // HOST:PORT
  std::string ca_file = {};               // PEM; empty: the system's own authorities
  std::string token_file = {};
  std::string token_variable = {};      // of the environment; empty: token_file
  std::string client_certificate = {};  // PEM chain, instead of a token; empty: none
  std::string client_key = {};          // its key, PEM
  std::string server_name = {};  // what the certificate has to say instead of HOST; empty: HOST
  unsigned timeout_seconds = 30;
};

// Adds --server, --ca, --token-file, --token-env, --server-name and --timeout; the first three have their
// defaults from the environment. `options` outlives `command`.
void add_server_options(CLI::App& command, ServerOptions& options);

// Adds --client-certificate and --client-key, for calls that take them instead of a token. After
// add_server_options() of the same two.
void add_client_certificate_options(CLI::App& command, ServerOptions& options);

// A TLS channel and the operator's token. Nothing is sent in clear, and there is no way to ask for
// that.
class Client {
 public:
  // Reads CA and token, or client certificate and key; connects at the first call. Fails with
  // kFileUnreadable, or kConfigInvalid for a token or key file that others may read, and for a file or
  // variable that does not hold what it should.
  static Result<Client> open(const ServerOptions& options);

  template <typename Service>
  std::unique_ptr<typename Service::Stub> stub() const {
    return Service::NewStub(channel_);
  }

  // Gives a call its token and its deadline: --timeout, and `more` for what takes its time.
  void prepare(grpc::ClientContext& context,
               std::chrono::seconds more = std::chrono::seconds(0)) const;

  // What a call's failure means to the user:
  //   kUnavailable     the verifier cannot be reached, or is not what its certificate has to say
  //   kEvidenceNone    the verifier answered that a node does not
  //   kNotFound, kAlreadyExists, kUnauthenticated, kRequestInvalid   other refusals
  Fault explain(const grpc::Status& status) const;

  // One unary call: client.call(*stub, &v1::OperatorService::Stub::GetNode, request).
  template <typename Stub, typename Request, typename Response>
  Result<Response> call(Stub& stub,
                        grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                     Response*),
                        const Request& request) const {
    grpc::ClientContext context;
    prepare(context);
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (!status.ok()) return tl::unexpected<Fault>(explain(status));
    return response;
  }

 private:
  using Channel = decltype(grpc::CreateChannel({}, {}));

  Client(ServerOptions options, std::string token, Channel channel)
      : options_(std::move(options)), token_(std::move(token)), channel_(std::move(channel)) {}

  ServerOptions options_;
  std::string token_;
  Channel channel_;
};

// One call on a connection of its own:
// call_once<v1::OperatorService>(options, &v1::OperatorService::Stub::GetNode, request).
template <typename Service, typename Request, typename Response>
Result<Response> call_once(const ServerOptions& options,
                           grpc::Status (Service::Stub::*method)(grpc::ClientContext*,
                                                                 const Request&, Response*),
                           const Request& request) {
  ASSAY_TRY(const Client client, Client::open(options));
  const auto stub = client.stub<Service>();
  return client.call(*stub, method, request);
}

}  // namespace assay
