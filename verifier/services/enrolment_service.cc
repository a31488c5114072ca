#include "verifier/services/enrolment_service.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>

#include "assay/v1/enrolment.grpc.pb.h"
#include "core/text.h"
#include "verifier/enrolment/join_token.h"
#include "verifier/services/authorise.h"
#include "verifier/services/codec.h"

namespace assay {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr std::chrono::hours kReEnrolmentTime{1};
constexpr std::uint32_t kMaxTokenUses = 100'000;
constexpr std::uint64_t kMaxTokenLifetimeSeconds = std::uint64_t{366} * 24 * 3600;
constexpr std::size_t kMaxTokenName = 64;

// "id:" and the four bytes of TCG's vendor id in hex, as endorsement certificates have it.
bool is_manufacturer(std::string_view text) {
  constexpr std::string_view kPrefix = "id:";
  return text.starts_with(kPrefix) && text.size() == kPrefix.size() + 8 &&
         from_hex(text.substr(kPrefix.size())).has_value();
}

Result<std::optional<Digest>> parse_ek(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (const auto digest = parse_digest(text)) return digest;
  return fail(FaultId::kRequestInvalid, "an endorsement key is named as sha256:<64 hex digits>");
}

Result<JoinTokenRecord> parse_token(const v1::CreateJoinTokenRequest& request, Instant now) {
  if (!is_node_name(request.name()) || request.name().size() > kMaxTokenName) {
    return fail(FaultId::kRequestInvalid, "a token's name is 1 to 64 of a-z, 0-9, '-' and '.'");
  }
  if (!request.manufacturer().empty() && !is_manufacturer(request.manufacturer())) {
    return fail(FaultId::kRequestInvalid,
                "a manufacturer is \"id:\" and eight hex digits, such as id:49465800");
  }
  if (request.uses() == 0 || request.uses() > kMaxTokenUses) {
    return fail(FaultId::kRequestInvalid, "a token has 1 to 100000 uses");
  }
  if (request.lifetime_s() == 0 || request.lifetime_s() > kMaxTokenLifetimeSeconds) {
    return fail(FaultId::kRequestInvalid, "a token lasts from one second to 366 days");
  }
  return JoinTokenRecord{.name = request.name(),
                         .manufacturer = request.manufacturer(),
                         .uses_left = request.uses(),
                         .created_at = now,
                         .expires_at = now + std::chrono::seconds(request.lifetime_s())};
}

void encode(const JoinTokenRecord& token, v1::JoinToken& out) {
  out.set_name(token.name);
  out.set_manufacturer(token.manufacturer);
  out.set_uses_left(token.uses_left);
  out.set_created_at_ms(to_ms(token.created_at));
  out.set_expires_at_ms(to_ms(token.expires_at));
  out.set_last_used_at_ms(to_ms(token.last_used_at));
}

class EnrolmentService final : public v1::EnrolmentService::CallbackService {
 public:
  explicit EnrolmentService(const OperatorWorld& world) : world_(world) {}

  ServerUnaryReactor* ListPending(CallbackServerContext* context, const v1::ListPendingRequest*,
                                  v1::ListPendingResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      ASSAY_TRY(const auto requests, world_.store.enrolment_requests());
      for (const EnrolmentRequest& request : requests) {
        v1::PendingTpm& out = *response->add_tpms();
        out.set_name(request.name);
        out.set_ek_id(format_digest(request.ek_id));
        out.set_manufacturer(escape_bytes(request.manufacturer));
        out.set_requested_at_ms(to_ms(request.requested_at));
      }
      return {};
    });
  }

  ServerUnaryReactor* Approve(CallbackServerContext* context, const v1::ApproveRequest* request,
                              v1::ApproveResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      ASSAY_TRY(const std::optional<Digest> ek, parse_ek(request->ek_id()));
      ASSAY_TRY(const NodeRecord node,
                world_.ledger.approve(request->name(), ek, world_.clock.now()));
      return encode_node(world_, node, *response->mutable_node());
    });
  }

  ServerUnaryReactor* Reject(CallbackServerContext* context, const v1::RejectRequest* request,
                             v1::RejectResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      ASSAY_TRY(const std::optional<Digest> ek, parse_ek(request->ek_id()));
      ASSAY_TRY(const std::uint64_t rejected, world_.store.reject(request->name(), ek));
      response->set_rejected(rejected);
      return {};
    });
  }

  // The node's streams end: it has to enrol before it speaks again.
  ServerUnaryReactor* ReEnrol(CallbackServerContext* context, const v1::ReEnrolRequest* request,
                              v1::ReEnrolResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      const Instant until = world_.clock.now() + kReEnrolmentTime;
      ASSAY_TRY(const NodeRecord node, world_.ledger.allow_re_enrolment(request->name(), until));
      world_.sessions.disconnect(node.id, {.id = FaultId::kUnavailable,
                                           .detail = "an operator asks the node to enrol again"});
      response->set_until_ms(to_ms(until));
      return {};
    });
  }

  ServerUnaryReactor* CreateJoinToken(CallbackServerContext* context,
                                      const v1::CreateJoinTokenRequest* request,
                                      v1::CreateJoinTokenResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      ASSAY_TRY(const JoinTokenRecord token, parse_token(*request, world_.clock.now()));
      const std::string secret = make_join_token();
      ASSAY_OK(world_.store.add_join_token(token, join_token_hash(secret)));
      encode(token, *response->mutable_token());
      response->set_secret(secret);
      return {};
    });
  }

  ServerUnaryReactor* ListJoinTokens(CallbackServerContext* context,
                                     const v1::ListJoinTokensRequest*,
                                     v1::ListJoinTokensResponse* response) override {
    return answer(*context, world_.token, [&]() -> Status {
      ASSAY_TRY(const auto tokens, world_.store.join_tokens());
      for (const JoinTokenRecord& token : tokens) encode(token, *response->add_tokens());
      return {};
    });
  }

  ServerUnaryReactor* RevokeJoinToken(CallbackServerContext* context,
                                      const v1::RevokeJoinTokenRequest* request,
                                      v1::RevokeJoinTokenResponse*) override {
    return answer(*context, world_.token,
                  [&]() -> Status { return world_.store.revoke_join_token(request->name()); });
  }

 private:
  OperatorWorld world_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_enrolment_service(const OperatorWorld& world) {
  return std::make_unique<EnrolmentService>(world);
}

}  // namespace assay
