#include "verifier/services/operator_service.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <mutex>

#include "assay/v1/operator.grpc.pb.h"
#include "verifier/services/authorise.h"
#include "verifier/services/codec.h"

namespace assay {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr std::uint32_t kMaxListed = 1000;
constexpr std::uint32_t kDefaultListed = 100;
constexpr std::size_t kMaxReasonBytes = 1024;
constexpr std::chrono::seconds kAttestTimeout{60};

class OperatorService final : public v1::OperatorService::CallbackService {
 public:
  explicit OperatorService(const OperatorWorld& world) : world_(world) {}

  ServerUnaryReactor* EnrolNode(CallbackServerContext* context, const v1::EnrolNodeRequest* request,
                                v1::EnrolNodeResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      ASSAY_TRY(const AkPublic ak, parse_ak_public(as_bytes(request->ak_public())));
      ASSAY_TRY(const NodeRecord node,
                world_.ledger.enrol(request->name(), ak, world_.clock.now()));
      return encode_node(world_, node, *response->mutable_node());
    });
  }

  ServerUnaryReactor* ListNodes(CallbackServerContext* context, const v1::ListNodesRequest*,
                                v1::ListNodesResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      for (const NodeRecord& node : world_.ledger.nodes()) {
        encode(node, world_, *response->add_nodes());
      }
      return {};
    });
  }

  ServerUnaryReactor* GetNode(CallbackServerContext* context, const v1::GetNodeRequest* request,
                              v1::GetNodeResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      ASSAY_TRY(const NodeRecord node, world_.ledger.node(request->name()));
      return encode_node(world_, node, *response->mutable_node());
    });
  }

  ServerUnaryReactor* GetNodeBoot(CallbackServerContext* context,
                                  const v1::GetNodeBootRequest* request,
                                  v1::GetNodeBootResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      ASSAY_TRY(const NodeRecord node, world_.ledger.node(request->name()));
      ASSAY_TRY(const BootRecord boot, world_.store.boot(node.id));
      response->set_name(node.name);
      response->set_node_class(world_.policy.class_of(node.name).name);
      response->set_seen_at_ms(to_ms(boot.seen_at));
      encode(boot.facts, *response->mutable_facts());
      return {};
    });
  }

  // Answered when the node's next attempt is judged: no thread waits for it.
  ServerUnaryReactor* AttestNode(CallbackServerContext* context,
                                 const v1::AttestNodeRequest* request,
                                 v1::AttestNodeResponse* response) override {
    ServerUnaryReactor* reactor = context->DefaultReactor();
    if (const grpc::Status denied = authorise(*context, world_.token); !denied.ok()) {
      reactor->Finish(denied);
      return reactor;
    }
    world_.sessions.attest_now(
        request->name(), world_.clock.now() + kAttestTimeout,
        [this, reactor, response](const Result<NodeRecord>& node) {
          const Status status = node.and_then([&](const NodeRecord& record) {
            return encode_node(world_, record, *response->mutable_node());
          });
          reactor->Finish(status ? grpc::Status::OK : to_status(status.error()));
        });
    return reactor;
  }

  ServerUnaryReactor* AcknowledgeNode(CallbackServerContext* context,
                                      const v1::AcknowledgeNodeRequest* request,
                                      v1::AcknowledgeNodeResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      if (request->reason().empty() || request->reason().size() > kMaxReasonBytes) {
        return fail(FaultId::kRequestInvalid,
                    "an acknowledgement needs a reason of 1 to 1024 bytes");
      }
      ASSAY_TRY(const Ledger::Acknowledged done,
                world_.ledger.acknowledge(request->name(), request->reason(), world_.clock.now()));
      response->set_closed(done.closed);
      return encode_node(world_, done.node, *response->mutable_node());
    });
  }

  ServerUnaryReactor* ListViolations(CallbackServerContext* context,
                                     const v1::ListViolationsRequest* request,
                                     v1::ListViolationsResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      const std::uint32_t limit = request->limit() == 0 ? kDefaultListed : request->limit();
      if (!request->node().empty()) ASSAY_OK(world_.ledger.node(request->node()));
      ASSAY_TRY(const auto violations,
                world_.store.violations({.node = request->node(),
                                         .open_only = request->open_only(),
                                         .before_id = request->before_id(),
                                         .limit = std::min(limit, kMaxListed)}));
      for (const ViolationRecord& violation : violations) {
        encode(violation, *response->add_violations());
      }
      return {};
    });
  }

  ServerUnaryReactor* GetViolation(CallbackServerContext* context,
                                   const v1::GetViolationRequest* request,
                                   v1::GetViolationResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      ASSAY_TRY(const ViolationRecord violation,
                world_.store.violation(ViolationId{static_cast<std::int64_t>(request->id())}));
      encode(violation, *response->mutable_violation());
      return {};
    });
  }

 private:
  OperatorWorld world_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_operator_service(const OperatorWorld& world) {
  return std::make_unique<OperatorService>(world);
}

}  // namespace assay
