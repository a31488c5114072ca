#include "verifier/services/operator_service.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <mutex>

#include "assay/v1/operator.grpc.pb.h"
#include "core/text.h"
#include "verifier/services/authorise.h"

namespace assay {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr std::uint32_t kMaxListed = 1000;
constexpr std::uint32_t kDefaultListed = 100;
constexpr std::uint32_t kMaxFaultsShown = 100;
constexpr std::size_t kMaxReasonBytes = 1024;
constexpr std::chrono::seconds kAttestTimeout{60};

std::int64_t to_ms(Instant at) {
  return at.time_since_epoch().count();
}
std::int64_t to_ms(const std::optional<Instant>& at) {
  return at ? to_ms(*at) : 0;
}

void encode(const Fault& fault, v1::Fault& out) {
  out.set_id(std::string(fault_name(fault.id)));
  out.set_severity(std::string(severity_name(fault_severity(fault.id))));
  if (fault.entry) out.set_entry(*fault.entry);
  out.set_path(fault.path);
  if (fault.digest) out.set_digest(format_digest(*fault.digest));
  out.set_detail(fault.detail);
}

void encode(const NodeRecord& node, bool connected, v1::Node& out) {
  out.set_name(node.name);
  out.set_state(std::string(node_state_name(node.standing.state)));
  out.set_ak_fingerprint(format_digest(node.ak_fingerprint));
  out.set_connected(connected);
  out.set_last_verified_ms(to_ms(node.standing.last_verified));
  out.set_state_since_ms(to_ms(node.standing.since));
  out.set_proven_entries(node.checkpoint.entries);
  out.set_reset_count(node.clock ? node.clock->reset_count : 0);
  out.set_open_violations(node.open_violations);
  out.set_faults_total(node.open_violations);
  if (node.last_rejection) out.set_last_rejection(std::string(fault_name(node.last_rejection->id)));
  out.set_last_rejection_ms(to_ms(node.last_rejection_at));
}

void encode(const ViolationRecord& violation, v1::Violation& out) {
  out.set_id(static_cast<std::uint64_t>(violation.id));
  out.set_node(violation.node);
  encode(violation.fault, *out.mutable_fault());
  out.set_detected_at_ms(to_ms(violation.detected_at));
  out.set_status(std::string(violation_status_name(violation.status)));
  out.set_acknowledged_at_ms(to_ms(violation.closed_at));
  out.set_acknowledgement(violation.acknowledgement);
}

class OperatorService final : public v1::OperatorService::CallbackService {
 public:
  explicit OperatorService(const OperatorWorld& world) : world_(world) {}

  ServerUnaryReactor* EnrolNode(CallbackServerContext* context, const v1::EnrolNodeRequest* request,
                                v1::EnrolNodeResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      ASSAY_TRY(const AkPublic ak, parse_ak_public(as_bytes(request->ak_public())));
      ASSAY_TRY(const NodeRecord node,
                world_.ledger.enrol(request->name(), ak, world_.clock.now()));
      return encode_with_faults(node, *response->mutable_node());
    });
  }

  ServerUnaryReactor* ListNodes(CallbackServerContext* context, const v1::ListNodesRequest*,
                                v1::ListNodesResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      for (const NodeRecord& node : world_.ledger.nodes()) {
        encode(node, world_.sessions.connected(node.id), *response->add_nodes());
      }
      return {};
    });
  }

  ServerUnaryReactor* GetNode(CallbackServerContext* context, const v1::GetNodeRequest* request,
                              v1::GetNodeResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      ASSAY_TRY(const NodeRecord node, world_.ledger.node(request->name()));
      return encode_with_faults(node, *response->mutable_node());
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
            return encode_with_faults(record, *response->mutable_node());
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
      return encode_with_faults(done.node, *response->mutable_node());
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
  // A node and why it is not trusted: every open violation, the newest first.
  Status encode_with_faults(const NodeRecord& node, v1::Node& out) const {
    encode(node, world_.sessions.connected(node.id), out);
    ASSAY_TRY(
        const auto open,
        world_.store.violations({.node = node.name, .open_only = true, .limit = kMaxFaultsShown}));
    for (const ViolationRecord& violation : open) encode(violation.fault, *out.add_faults());
    return {};
  }

  OperatorWorld world_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_operator_service(const OperatorWorld& world) {
  return std::make_unique<OperatorService>(world);
}

}  // namespace assay
