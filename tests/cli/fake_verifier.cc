#include "tests/cli/fake_verifier.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/digest.h"

namespace assay::testing {

DevCa::DevCa() {
  const Finished made = run_program({ASSAY_DEV_CA, dir_.path().string()});
  if (made.exit != 0) {
    std::fprintf(stderr, "%s\n", made.err.c_str());
    std::abort();
  }
}

const DevCa& DevCa::get() {
  static const DevCa ca;
  return ca;
}

std::string DevCa::token() const {
  std::string out = read_file(file("operator.token"));
  out.pop_back();  // its newline
  return out;
}

FakeVerifier::FakeVerifier() {
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs.push_back({.private_key = read_file(DevCa::get().file("server.key")),
                                    .cert_chain = read_file(DevCa::get().file("server.pem"))});
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port_);
  builder.RegisterService(static_cast<v1::EnrolmentService::Service*>(this));
  builder.RegisterService(static_cast<v1::GoldenService::Service*>(this));
  builder.RegisterService(static_cast<v1::OperatorService::Service*>(this));
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) std::abort();
}

FakeVerifier::~FakeVerifier() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  server_->Shutdown();
}

Finished FakeVerifier::run(const Arguments& arguments) const {
  return run_assay(arguments, {{"ASSAY_SERVER", address()},
                               {"ASSAY_CA", DevCa::get().file("ca.pem")},
                               {"ASSAY_TOKEN_FILE", DevCa::get().file("operator.token")}});
}

grpc::Status FakeVerifier::check(const grpc::ServerContext& context) const {
  const auto& metadata = context.client_metadata();
  const auto token = metadata.find("authorization");
  if (token == metadata.end() || token->second != "Bearer " + DevCa::get().token()) {
    return {grpc::StatusCode::UNAUTHENTICATED, "wrong token\x1b[31m"};
  }
  return refuse_with;
}

const v1::Node* FakeVerifier::find_node(const std::string& name) const {
  const auto it = std::ranges::find_if(nodes, [&](const v1::Node& n) { return n.name() == name; });
  return it == nodes.end() ? nullptr : &*it;
}

grpc::Status FakeVerifier::Push(grpc::ServerContext* context,
                                grpc::ServerReader<v1::PushRequest>* reader,
                                v1::PushResponse* response) {
  if (grpc::Status status = check(*context); !status.ok()) return status;
  const bool first = pushed.empty();
  pushed.clear();
  v1::PushRequest request;
  while (reader->Read(&request)) {
    largest_chunk_bytes = std::max(largest_chunk_bytes, request.data().size());
    pushed += request.data();
  }
  response->mutable_set()->set_name("pushed");
  response->mutable_set()->set_digest(format_digest(hash(HashAlg::kSha256, as_bytes(pushed))));
  response->set_changed(first);
  return grpc::Status::OK;
}

grpc::Status FakeVerifier::List(grpc::ServerContext* context, const v1::ListGoldenRequest*,
                                v1::ListGoldenResponse* response) {
  if (!set.set().name().empty()) *response->add_sets() = set.set();
  return check(*context);
}

grpc::Status FakeVerifier::Get(grpc::ServerContext* context, const v1::GetGoldenRequest* request,
                               v1::GetGoldenResponse* response) {
  if (grpc::Status status = check(*context); !status.ok()) return status;
  if (request->name() != set.set().name()) {
    return {grpc::StatusCode::NOT_FOUND, "no golden set \"" + request->name() + "\""};
  }
  *response->mutable_set() = set.set();
  if (request->offset() == 0) {
    if (set.has_image()) *response->mutable_image() = set.image();
    *response->mutable_facts() = set.facts();
  }
  const auto end = std::min<std::uint64_t>(request->offset() + request->limit(),
                                           static_cast<std::uint64_t>(set.files_size()));
  for (auto i = request->offset(); i < end; ++i) {
    *response->add_files() = set.files(static_cast<int>(i));
  }
  if (replace_set_between_pages) set.mutable_set()->set_digest("sha256:other");
  return grpc::Status::OK;
}

grpc::Status FakeVerifier::EnrolNode(grpc::ServerContext* context,
                                     const v1::EnrolNodeRequest* request,
                                     v1::EnrolNodeResponse* response) {
  enrolled = *request;
  response->mutable_node()->set_name(request->name());
  response->mutable_node()->set_state("unknown");
  return check(*context);
}

grpc::Status FakeVerifier::ListNodes(grpc::ServerContext* context, const v1::ListNodesRequest*,
                                     v1::ListNodesResponse* response) {
  for (const v1::Node& node : nodes) *response->add_nodes() = node;
  return check(*context);
}

grpc::Status FakeVerifier::GetNode(grpc::ServerContext* context, const v1::GetNodeRequest* request,
                                   v1::GetNodeResponse* response) {
  if (grpc::Status status = check(*context); !status.ok()) return status;
  const v1::Node* node = find_node(request->name());
  if (node == nullptr) return {grpc::StatusCode::NOT_FOUND, "no node \"" + request->name() + "\""};
  *response->mutable_node() = *node;
  return grpc::Status::OK;
}

grpc::Status FakeVerifier::GetNodeBoot(grpc::ServerContext* context,
                                       const v1::GetNodeBootRequest* request,
                                       v1::GetNodeBootResponse* response) {
  if (grpc::Status status = check(*context); !status.ok()) return status;
  if (request->name() != boot.name()) {
    return {grpc::StatusCode::NOT_FOUND, "the node's boot was not seen yet"};
  }
  *response = boot;
  return grpc::Status::OK;
}

grpc::Status FakeVerifier::AttestNode(grpc::ServerContext* context,
                                      const v1::AttestNodeRequest* request,
                                      v1::AttestNodeResponse* response) {
  if (grpc::Status status = check(*context); !status.ok()) return status;
  if (request->name() == kSilent) {
    std::unique_lock lock(mutex_);
    stopping_.wait(lock, [this] { return stop_; });
    return grpc::Status::CANCELLED;
  }
  const v1::Node* node = find_node(request->name());
  if (node == nullptr) return {grpc::StatusCode::UNAVAILABLE, "its agent is not connected"};
  *response->mutable_node() = *node;
  return grpc::Status::OK;
}

grpc::Status FakeVerifier::AcknowledgeNode(grpc::ServerContext* context,
                                           const v1::AcknowledgeNodeRequest* request,
                                           v1::AcknowledgeNodeResponse* response) {
  acknowledged = *request;
  response->set_closed(3);
  response->mutable_node()->set_name(request->name());
  return check(*context);
}

grpc::Status FakeVerifier::ListViolations(grpc::ServerContext* context,
                                          const v1::ListViolationsRequest* request,
                                          v1::ListViolationsResponse* response) {
  listed.push_back(*request);
  for (const v1::Violation& v : violations) {
    if (request->before_id() != 0 && v.id() >= request->before_id()) continue;
    if (static_cast<std::uint32_t>(response->violations_size()) == request->limit()) break;
    *response->add_violations() = v;
  }
  return check(*context);
}

grpc::Status FakeVerifier::GetViolation(grpc::ServerContext* context,
                                        const v1::GetViolationRequest* request,
                                        v1::GetViolationResponse* response) {
  if (grpc::Status status = check(*context); !status.ok()) return status;
  for (const v1::Violation& v : violations) {
    if (v.id() != request->id()) continue;
    *response->mutable_violation() = v;
    return grpc::Status::OK;
  }
  return {grpc::StatusCode::NOT_FOUND, "no violation " + std::to_string(request->id())};
}

grpc::Status FakeVerifier::ListPending(grpc::ServerContext* context, const v1::ListPendingRequest*,
                                       v1::ListPendingResponse* response) {
  for (const v1::PendingTpm& tpm : waiting) *response->add_tpms() = tpm;
  return check(*context);
}

grpc::Status FakeVerifier::Approve(grpc::ServerContext* context, const v1::ApproveRequest* request,
                                   v1::ApproveResponse* response) {
  approved = *request;
  response->mutable_node()->set_name(request->name());
  response->mutable_node()->set_state("unknown");
  response->mutable_node()->set_admitted_by("operator");
  return check(*context);
}

grpc::Status FakeVerifier::Reject(grpc::ServerContext* context, const v1::RejectRequest* request,
                                  v1::RejectResponse* response) {
  rejected = *request;
  response->set_rejected(2);
  return check(*context);
}

grpc::Status FakeVerifier::ReEnrol(grpc::ServerContext* context, const v1::ReEnrolRequest* request,
                                   v1::ReEnrolResponse* response) {
  re_enrolled = *request;
  response->set_until_ms(1795457237804);
  return check(*context);
}

grpc::Status FakeVerifier::CreateJoinToken(grpc::ServerContext* context,
                                           const v1::CreateJoinTokenRequest* request,
                                           v1::CreateJoinTokenResponse* response) {
  created = *request;
  v1::JoinToken& token = *response->mutable_token();
  token.set_name(request->name());
  token.set_manufacturer(request->manufacturer());
  token.set_uses_left(request->uses());
  token.set_created_at_ms(1795457230000);
  token.set_expires_at_ms(1795457237804);
  response->set_secret("not-to-be-seen-again");
  return check(*context);
}

grpc::Status FakeVerifier::ListJoinTokens(grpc::ServerContext* context,
                                          const v1::ListJoinTokensRequest*,
                                          v1::ListJoinTokensResponse* response) {
  for (const v1::JoinToken& token : tokens) *response->add_tokens() = token;
  return check(*context);
}

grpc::Status FakeVerifier::RevokeJoinToken(grpc::ServerContext* context,
                                           const v1::RevokeJoinTokenRequest* request,
                                           v1::RevokeJoinTokenResponse*) {
  revoked = *request;
  return check(*context);
}

}  // namespace assay::testing
