// What operators do, over gRPC and without a process for each call.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "assay/v1/golden.grpc.pb.h"
#include "assay/v1/operator.grpc.pb.h"
#include "core/bytes.h"
#include "tests/integration/running_verifier.h"

namespace assay::testing {

// TLS to `verifier`, on a connection that is shared with no other channel.
std::shared_ptr<grpc::Channel> connect(const RunningVerifier& verifier);

// Each call fails the test when the verifier refuses.
class OperatorClient {
 public:
  explicit OperatorClient(const RunningVerifier& verifier);

  void enrol(const std::string& name, ByteView ak_public) const;
  // Makes files of these contents golden, as set `name`.
  void push_golden(const std::string& name, const std::vector<std::string>& contents) const;
  v1::Node node(const std::string& name) const;
  std::vector<v1::Node> nodes() const;
  std::vector<v1::Violation> violations() const;  // newest first, at most 1000

 private:
  void prepare(grpc::ClientContext& context) const;

  std::string token_;
  std::unique_ptr<v1::OperatorService::Stub> operators_;
  std::unique_ptr<v1::GoldenService::Stub> golden_;
};

}  // namespace assay::testing
