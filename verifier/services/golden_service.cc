#include "verifier/services/golden_service.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <utility>

#include "assay/v1/golden.grpc.pb.h"
#include "core/text.h"
#include "verifier/access/push_token.h"
#include "verifier/services/authorise.h"
#include "verifier/services/codec.h"

namespace assay {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr std::size_t kMaxPieceBytes = std::size_t{1} << 20;
constexpr std::uint32_t kMaxListed = 1000;
constexpr std::uint64_t kMaxTokenLifetimeSeconds = std::uint64_t{366} * 24 * 3600;
constexpr std::size_t kMaxTokenName = 64;
constexpr int kMaxTokenScopes = 32;

Instant deadline_of(const CallbackServerContext& context) {
  return std::chrono::time_point_cast<Instant::duration>(context.deadline());
}

GoldenId id_of(const std::string& name, std::uint64_t generation) {
  return {.name = name, .generation = generation == 0 ? std::nullopt : std::optional(generation)};
}

void encode(const GoldenRecord& set, v1::GoldenSummary& out) {
  out.set_name(set.name);
  out.set_digest(format_digest(set.digest));
  out.set_generation(set.generation);
  out.set_files(set.files);
  out.set_hashes(set.hashes);
  out.set_signers(set.signers);
  out.set_source(set.source);
  out.set_pushed_at_ms(to_ms(set.pushed_at));
  out.set_state(std::string(golden_state_name(set.state)));
  out.set_pushed_by(set.pushed_by);
  for (const std::string& key : set.signed_by) out.add_signed_by(key);
  out.set_state_since_ms(to_ms(set.state_since));
  out.set_state_by(set.state_by);
  out.set_reason(escape_bytes(set.reason));
  out.set_golden_until_ms(to_ms(set.golden_until));
  out.set_approved_by(set.approved_by);
  out.set_approved_at_ms(to_ms(set.approved_at));
}

void encode(const std::vector<GoldenRecord>& sets, v1::ListGoldenResponse& out) {
  for (const GoldenRecord& set : sets) encode(set, *out.add_sets());
}

void encode(const GoldenImage& image, v1::GoldenImage& out) {
  for (const std::string& name : image.names) out.add_names(name);
  for (const Digest& digest : image.digests) out.add_digests(format_digest(digest));
  for (const Digest& layer : image.layers) out.add_layers(format_digest(layer));
}

void encode(const GoldenFile& file, v1::GoldenFile& out) {
  out.set_path(file.path);
  for (const Digest& digest : file.digests) out.add_digest(format_digest(digest));
  out.set_size(file.size);
  out.set_mode(file.mode);
  if (file.uid) out.set_uid(*file.uid);
  if (file.gid) out.set_gid(*file.gid);
  out.set_kind(std::string(content_kind_name(file.kind)));
  if (file.layer) out.set_layer(*file.layer);
}

void encode(const GoldenOrigin& origin, v1::GoldenOrigin& out) {
  encode(origin.set, *out.mutable_set());
  out.set_path(origin.path);
  if (origin.layer) out.set_layer(format_digest(*origin.layer));
  for (const std::string& name : origin.images) out.add_images(name);
}

void encode(const GoldenRun& run, v1::GoldenRun& out) {
  out.set_node(run.node);
  out.set_state(std::string(node_state_name(run.state)));
  out.set_first_seen_ms(to_ms(run.first_seen));
  out.set_this_boot(run.this_boot);
  out.set_own(run.own);
  out.set_pods_incomplete(!run.pods_complete);
}

void encode(const GoldenPodRun& run, v1::GoldenPodRun& out) {
  out.set_node(run.node);
  out.set_attribution(std::string(attribution_name(run.label.attribution())));
  out.set_label(run.label.text());
  out.set_name(run.name);
  out.set_first_seen_ms(to_ms(run.first_seen));
  out.set_this_boot(run.this_boot);
  out.set_own(run.own);
}

void encode(const GoldenPlacement& placed, const ClusterSnapshot* cluster,
            v1::GoldenPlacement& out) {
  out.set_node(placed.node);
  out.set_pod(placed.pod.text());
  out.set_name(placed.name);
  out.set_source(std::string(image_source_name(placed.source)));
  out.set_first_seen_ms(to_ms(placed.first_seen));
  // Without any pod it has not been told yet.
  if (cluster == nullptr || cluster->size() == 0) return;
  const PodFacts* known = cluster->find(placed.pod, placed.node);
  out.set_is_there(known != nullptr && !known->is_gone);
}

void encode(const PushTokenRecord& token, v1::PushToken& out) {
  out.set_name(token.name);
  for (const std::string& scope : token.scopes) out.add_scopes(scope);
  out.set_created_at_ms(to_ms(token.created_at));
  out.set_expires_at_ms(to_ms(token.expires_at));
  out.set_last_used_at_ms(to_ms(token.last_used_at));
}

Result<PushTokenRecord> parse_token(const v1::CreatePushTokenRequest& request, Instant now) {
  if (!is_node_name(request.name()) || request.name().size() > kMaxTokenName) {
    return fail(FaultId::kRequestInvalid, "a token's name is 1 to 64 of a-z, 0-9, '-' and '.'");
  }
  if (request.scopes_size() == 0 || request.scopes_size() > kMaxTokenScopes) {
    return fail(FaultId::kRequestInvalid, "a push token is for 1 to 32 names or prefixes");
  }
  for (const std::string& scope : request.scopes()) {
    if (NameScope::parse(scope)) continue;
    return fail(FaultId::kRequestInvalid,
                "a token is for a set's name, a prefix such as shop/, or *");
  }
  if (request.lifetime_s() == 0 || request.lifetime_s() > kMaxTokenLifetimeSeconds) {
    return fail(FaultId::kRequestInvalid, "a token lasts from one second to 366 days");
  }
  return PushTokenRecord{.name = request.name(),
                         .scopes = {request.scopes().begin(), request.scopes().end()},
                         .created_at = now,
                         .expires_at = now + std::chrono::seconds(request.lifetime_s())};
}

// One push. Deletes itself in OnDone.
class PushReactor final : public grpc::ServerReadReactor<v1::PushRequest> {
 public:
  PushReactor(GoldenSets& sets, const CallbackServerContext& context, v1::PushResponse* response)
      : push_(sets.open_push(
            {.authorization = authorization_of(context), .client_chain = client_chain_of(context)},
            deadline_of(context))),
        response_(response) {
    if (!push_) {
      Finish(to_status(push_.error()));
    } else {
      StartRead(&piece_);
    }
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(store());
    if (push_->empty()) {
      wishes_ = {.idempotency_key = piece_.idempotency_key(), .draft = piece_.draft()};
    }
    if (const Status added = add(as_bytes(piece_.data())); !added) {
      return Finish(to_status(added.error()));
    }
    StartRead(&piece_);
  }

  void OnDone() override { delete this; }

 private:
  Status add(ByteView data) {
    if (data.size() > kMaxPieceBytes) return fail(FaultId::kGoldenTooLarge, "a piece over 1 MiB");
    return push_->add(data);
  }

  grpc::Status store() {
    const auto stored = push_->store(wishes_);
    if (!stored) return to_status(stored.error());
    encode(stored->set, *response_->mutable_set());
    response_->set_changed(stored->changed);
    return grpc::Status::OK;
  }

  Result<OpenPush> push_;
  v1::PushResponse* response_;
  v1::PushRequest piece_;
  PushWishes wishes_;
};

class GoldenService final : public v1::GoldenService::CallbackService {
 public:
  GoldenService(GoldenSets& sets, const GoldenWorld& world)
      : sets_(sets),
        store_(world.store),
        clock_(world.clock),
        token_(world.token),
        cluster_(world.cluster) {}

  grpc::ServerReadReactor<v1::PushRequest>* Push(CallbackServerContext* context,
                                                 v1::PushResponse* response) override {
    return new PushReactor(sets_, *context, response);  // owned by gRPC until OnDone
  }

  ServerUnaryReactor* List(CallbackServerContext* context, const v1::ListGoldenRequest*,
                           v1::ListGoldenResponse* response) override {
    return answer(*context, token_, [&]() -> Status {
      ASSAY_TRY(const auto sets, store_.golden_sets());
      encode(sets, *response);
      return {};
    });
  }

  ServerUnaryReactor* Get(CallbackServerContext* context, const v1::GetGoldenRequest* request,
                          v1::GetGoldenResponse* response) override {
    return answer(*context, token_, [&]() -> Status {
      const GoldenId id = id_of(request->name(), request->generation());
      ASSAY_TRY(const GoldenRecord set, store_.golden_set(id));
      encode(set, *response->mutable_set());
      if (request->offset() == 0) {
        if (set.image) encode(*set.image, *response->mutable_image());
        response->mutable_facts()->insert(set.facts.begin(), set.facts.end());
        ASSAY_OK(add_signers(id, *response));
      }
      if (request->limit() == 0) return {};
      ASSAY_TRY(const auto files,
                store_.golden_files(id, request->offset(), std::min(request->limit(), kMaxListed)));
      for (const GoldenFile& file : files) encode(file, *response->add_files());
      return {};
    });
  }

  ServerUnaryReactor* History(CallbackServerContext* context,
                              const v1::GoldenHistoryRequest* request,
                              v1::ListGoldenResponse* response) override {
    return answer(*context, token_, [&]() -> Status {
      ASSAY_TRY(const auto sets, store_.golden_history(request->name()));
      encode(sets, *response);
      return {};
    });
  }

  ServerUnaryReactor* Approve(CallbackServerContext* context,
                              const v1::ApproveGoldenRequest* request,
                              v1::ApproveGoldenResponse* response) override {
    return answer(*context, token_, [&]() -> Status {
      ASSAY_TRY(const GoldenRecord set,
                sets_.approve(id_of(request->name(), request->generation())));
      encode(set, *response->mutable_set());
      return {};
    });
  }

  ServerUnaryReactor* Revoke(CallbackServerContext* context, const v1::RevokeGoldenRequest* request,
                             v1::ListGoldenResponse* response) override {
    return answer(*context, token_, [&]() -> Status {
      ASSAY_TRY(const auto sets,
                sets_.revoke(id_of(request->name(), request->generation()), request->reason()));
      encode(sets, *response);
      return {};
    });
  }

  ServerUnaryReactor* FindDigest(CallbackServerContext* context,
                                 const v1::FindDigestRequest* request,
                                 v1::FindDigestResponse* response) override {
    return answer(*context, token_, [&]() -> Status {
      const auto digest = parse_digest(request->digest());
      if (!digest) return fail(FaultId::kRequestInvalid, "a digest is \"sha256:\" and hex digits");
      ASSAY_TRY(const auto origins, store_.golden_origins(*digest));
      for (const GoldenOrigin& origin : origins.listed) encode(origin, *response->add_origins());
      response->set_total(origins.total);
      return {};
    });
  }

  ServerUnaryReactor* ListRuns(CallbackServerContext* context,
                               const v1::ListGoldenRunsRequest* request,
                               v1::ListGoldenRunsResponse* response) override {
    return answer(*context, token_, [&]() -> Status {
      const GoldenId id = id_of(request->name(), request->generation());
      ASSAY_TRY(const auto runs, store_.golden_runs(id));
      for (const GoldenRun& run : runs.nodes) encode(run, *response->add_runs());
      response->set_total(runs.total);
      for (const GoldenPodRun& run : runs.pods) encode(run, *response->add_pods());
      response->set_pods_total(runs.pods_total);
      return add_placements(id, *response);
    });
  }

  ServerUnaryReactor* CreatePushToken(CallbackServerContext* context,
                                      const v1::CreatePushTokenRequest* request,
                                      v1::CreatePushTokenResponse* response) override {
    return answer(*context, token_, [&]() -> Status {
      ASSAY_TRY(const PushTokenRecord token, parse_token(*request, clock_.now()));
      const std::string secret = make_push_token();
      ASSAY_OK(store_.add_push_token(token, push_token_hash(secret), GoldenSets::kOperator));
      encode(token, *response->mutable_token());
      response->set_secret(secret);
      return {};
    });
  }

  ServerUnaryReactor* ListPushTokens(CallbackServerContext* context,
                                     const v1::ListPushTokensRequest*,
                                     v1::ListPushTokensResponse* response) override {
    return answer(*context, token_, [&]() -> Status {
      ASSAY_TRY(const auto tokens, store_.push_tokens());
      for (const PushTokenRecord& token : tokens) encode(token, *response->add_tokens());
      return {};
    });
  }

  ServerUnaryReactor* RevokePushToken(CallbackServerContext* context,
                                      const v1::RevokePushTokenRequest* request,
                                      v1::RevokePushTokenResponse*) override {
    return answer(*context, token_, [&]() -> Status {
      return store_.revoke_push_token(request->name(), sets_.operators());
    });
  }

  ServerUnaryReactor* ListAudit(CallbackServerContext* context, const v1::ListAuditRequest* request,
                                v1::ListAuditResponse* response) override {
    return answer(*context, token_, [&]() -> Status {
      ASSAY_TRY(const auto entries,
                store_.audit(request->before_id(), std::min(request->limit(), kMaxListed)));
      for (const AuditRecord& entry : entries) {
        v1::AuditEntry& out = *response->add_entries();
        out.set_id(entry.id);
        out.set_at_ms(to_ms(entry.at));
        out.set_actor(entry.actor);
        out.set_action(entry.action);
        out.set_subject(entry.subject);
        out.set_detail(entry.detail);
      }
      return {};
    });
  }

 private:
  Status add_placements(const GoldenId& id, v1::ListGoldenRunsResponse& response) {
    ASSAY_TRY(const auto placements, store_.golden_placements(id));
    const auto cluster = cluster_ ? cluster_() : nullptr;
    for (const GoldenPlacement& placed : placements.listed) {
      encode(placed, cluster.get(), *response.add_placements());
    }
    response.set_placements_total(placements.total);
    for (const std::string& node : placements.incomplete) {
      response.add_placements_incomplete(node);
    }
    return {};
  }

  Status add_signers(const GoldenId& set, v1::GetGoldenResponse& response) {
    ASSAY_TRY(const auto signers, store_.golden_signers(set));
    for (const GoldenSigner& signer : signers) {
      v1::GoldenSigner& out = *response.add_signers();
      out.set_name(signer.name);
      out.set_key(format_digest(signer.key.fingerprint()));
    }
    return {};
  }

  GoldenSets& sets_;
  Store& store_;
  const Clock& clock_;
  const OperatorToken& token_;
  std::function<std::shared_ptr<const ClusterSnapshot>()> cluster_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_golden_service(GoldenSets& sets, const GoldenWorld& world) {
  return std::make_unique<GoldenService>(sets, world);
}

}  // namespace assay
