#include "tests/integration/operator_client.h"

#include <doctest/doctest.h>

#include "golden/set_file.h"
#include "tests/support/ima_builder.h"

namespace assay::testing {
namespace {

void require_ok(const grpc::Status& status) {
  INFO(status.error_message());
  REQUIRE(status.error_code() == grpc::StatusCode::OK);
}

GoldenSet set_of(const std::string& name, const std::vector<std::string>& contents) {
  GoldenSet out{.name = name, .source = "rootfs", .files = {}};
  for (const std::string& content : contents) {
    out.files.push_back({.path = "/bin/" + content, .digests = {digest_of(content)}});
  }
  sort_files(out.files);
  return out;
}

}  // namespace

std::shared_ptr<grpc::Channel> connect(const RunningVerifier& verifier) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = verifier.ca_pem();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(verifier.address(), grpc::SslCredentials(tls), arguments);
}

OperatorClient::OperatorClient(const RunningVerifier& verifier) : token_(verifier.token()) {
  const auto channel = connect(verifier);
  operators_ = v1::OperatorService::NewStub(channel);
  golden_ = v1::GoldenService::NewStub(channel);
}

void OperatorClient::prepare(grpc::ClientContext& context) const {
  context.AddMetadata("authorization", "Bearer " + token_);
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
}

void OperatorClient::enrol(const std::string& name, ByteView ak_public) const {
  grpc::ClientContext context;
  prepare(context);
  v1::EnrolNodeRequest request;
  request.set_name(name);
  request.set_ak_public(std::string(as_text(ak_public)));
  v1::EnrolNodeResponse response;
  require_ok(operators_->EnrolNode(&context, request, &response));
}

void OperatorClient::push_golden(const std::string& name,
                                 const std::vector<std::string>& contents) const {
  grpc::ClientContext context;
  prepare(context);
  v1::PushResponse response;
  const auto writer = golden_->Push(&context, &response);
  v1::PushRequest request;
  request.set_data(format_golden_set(set_of(name, contents)));
  writer->Write(request);
  writer->WritesDone();
  require_ok(writer->Finish());
}

v1::Node OperatorClient::node(const std::string& name) const {
  grpc::ClientContext context;
  prepare(context);
  v1::GetNodeRequest request;
  request.set_name(name);
  v1::GetNodeResponse response;
  require_ok(operators_->GetNode(&context, request, &response));
  return response.node();
}

std::vector<v1::Node> OperatorClient::nodes() const {
  grpc::ClientContext context;
  prepare(context);
  v1::ListNodesResponse response;
  require_ok(operators_->ListNodes(&context, {}, &response));
  return {response.nodes().begin(), response.nodes().end()};
}

std::vector<v1::Violation> OperatorClient::violations() const {
  grpc::ClientContext context;
  prepare(context);
  v1::ListViolationsRequest request;
  request.set_limit(1000);
  v1::ListViolationsResponse response;
  require_ok(operators_->ListViolations(&context, request, &response));
  return {response.violations().begin(), response.violations().end()};
}

}  // namespace assay::testing
