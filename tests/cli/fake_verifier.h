// A verifier's gRPC side for the command line to talk to: TLS, a token, and what a test put in.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "assay/v1/enrolment.grpc.pb.h"
#include "assay/v1/golden.grpc.pb.h"
#include "assay/v1/operator.grpc.pb.h"
#include "tests/cli/assay_process.h"
#include "tests/support/temp_dir.h"

namespace assay::testing {

// Certificates and a token as deploy/dev-ca.sh makes them, once for all tests.
class DevCa {
 public:
  static const DevCa& get();
  std::string file(std::string_view name) const { return (dir_ / name).string(); }
  std::string token() const;

 private:
  DevCa();
  TempDir dir_;
};

class FakeVerifier final : v1::EnrolmentService::Service,
                           v1::GoldenService::Service,
                           v1::OperatorService::Service {
 public:
  FakeVerifier();
  ~FakeVerifier() override;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // assay with `arguments`, told by its environment where this verifier is.
  Finished run(const Arguments& arguments) const;

  // What the services answer with, and what they were last asked. Set up before the first call.
  std::vector<v1::Node> nodes;
  std::vector<v1::Violation> violations;  // newest first
  v1::GetGoldenResponse set;              // all its files
  v1::GetNodeBootResponse boot;           // of the node that it names
  std::vector<v1::PendingTpm> waiting;
  std::vector<v1::JoinToken> tokens;
  grpc::Status refuse_with;  // when not OK, every call's answer
  bool replace_set_between_pages = false;

  std::string pushed;  // the set file's bytes
  std::size_t largest_chunk_bytes = 0;
  v1::EnrolNodeRequest enrolled;
  v1::AcknowledgeNodeRequest acknowledged;
  std::vector<v1::ListViolationsRequest> listed;
  v1::ApproveRequest approved;
  v1::RejectRequest rejected;
  v1::ReEnrolRequest re_enrolled;
  v1::CreateJoinTokenRequest created;
  v1::RevokeJoinTokenRequest revoked;

  // A node of this name never answers.
  static constexpr char kSilent[] = "silent";

 private:
  grpc::Status check(const grpc::ServerContext& context) const;
  const v1::Node* find_node(const std::string& name) const;

  grpc::Status Push(grpc::ServerContext*, grpc::ServerReader<v1::PushRequest>*,
                    v1::PushResponse*) override;
  grpc::Status List(grpc::ServerContext*, const v1::ListGoldenRequest*,
                    v1::ListGoldenResponse*) override;
  grpc::Status Get(grpc::ServerContext*, const v1::GetGoldenRequest*,
                   v1::GetGoldenResponse*) override;
  grpc::Status EnrolNode(grpc::ServerContext*, const v1::EnrolNodeRequest*,
                         v1::EnrolNodeResponse*) override;
  grpc::Status ListNodes(grpc::ServerContext*, const v1::ListNodesRequest*,
                         v1::ListNodesResponse*) override;
  grpc::Status GetNode(grpc::ServerContext*, const v1::GetNodeRequest*,
                       v1::GetNodeResponse*) override;
  grpc::Status GetNodeBoot(grpc::ServerContext*, const v1::GetNodeBootRequest*,
                           v1::GetNodeBootResponse*) override;
  grpc::Status AttestNode(grpc::ServerContext*, const v1::AttestNodeRequest*,
                          v1::AttestNodeResponse*) override;
  grpc::Status AcknowledgeNode(grpc::ServerContext*, const v1::AcknowledgeNodeRequest*,
                               v1::AcknowledgeNodeResponse*) override;
  grpc::Status ListViolations(grpc::ServerContext*, const v1::ListViolationsRequest*,
                              v1::ListViolationsResponse*) override;
  grpc::Status GetViolation(grpc::ServerContext*, const v1::GetViolationRequest*,
                            v1::GetViolationResponse*) override;

  grpc::Status ListPending(grpc::ServerContext*, const v1::ListPendingRequest*,
                           v1::ListPendingResponse*) override;
  grpc::Status Approve(grpc::ServerContext*, const v1::ApproveRequest*,
                       v1::ApproveResponse*) override;
  grpc::Status Reject(grpc::ServerContext*, const v1::RejectRequest*, v1::RejectResponse*) override;
  grpc::Status ReEnrol(grpc::ServerContext*, const v1::ReEnrolRequest*,
                       v1::ReEnrolResponse*) override;
  grpc::Status CreateJoinToken(grpc::ServerContext*, const v1::CreateJoinTokenRequest*,
                               v1::CreateJoinTokenResponse*) override;
  grpc::Status ListJoinTokens(grpc::ServerContext*, const v1::ListJoinTokensRequest*,
                              v1::ListJoinTokensResponse*) override;
  grpc::Status RevokeJoinToken(grpc::ServerContext*, const v1::RevokeJoinTokenRequest*,
                               v1::RevokeJoinTokenResponse*) override;

  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace assay::testing
