// A verifier's gRPC port with a test's own lines behind it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/stream.h"
#include "assay/v1/agent.grpc.pb.h"
#include "core/attest.h"
#include "tests/support/test_ca.h"

namespace assay::testing {

class FakeVerifier {
 public:
  using Wire = grpc::ServerReaderWriter<v1::VerifierMessage, v1::AgentMessage>;
  // What it does with a stream, on a thread of gRPC's, several at once when there are several.
  using Script = std::function<grpc::Status(Wire&, grpc::ServerContext&)>;

  // Listens on 127.0.0.1 at `port`, or at any free one, with a certificate for `names`.
  FakeVerifier(const TestCa& ca, Script script, int port = 0,
               const std::string& names = "IP:127.0.0.1");
  // Ends every stream, and the port.
  ~FakeVerifier();

  int port() const { return port_; }
  agent::Endpoint endpoint(const TestCa& ca) const {
    return {.verifier = "127.0.0.1:" + std::to_string(port_),
            .ca_pem = ca.certificate_pem(),
            .server_name = ""};
  }

 private:
  class Service;
  std::unique_ptr<Service> service_;
  int port_;
  std::unique_ptr<grpc::Server> server_;
};

// What an agent sent for one challenge.
struct Answer {
  UntrustedQuote quote;
  Bytes log;
  std::size_t chunks = 0;
  std::optional<v1::PodClaims> claims = {};
  std::string refusal;  // empty when it did not refuse
};

v1::VerifierMessage challenge_message(std::uint64_t id, const Challenge& challenge);

// Reads an answer to challenge `id`, past hints. Ends the process when the agent breaks the protocol.
Answer read_answer(FakeVerifier::Wire& wire, std::uint64_t id);

}  // namespace assay::testing
