#include "verifier/services/golden_service.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "assay/v1/golden.grpc.pb.h"
#include "core/text.h"
#include "golden/set_file.h"
#include "verifier/access/push_token.h"
#include "verifier/services/authorise.h"
#include "verifier/services/codec.h"

namespace assay {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr std::size_t kMaxPieceBytes = std::size_t{1} << 20;
constexpr std::uint32_t kMaxListed = 1000;
constexpr int kMaxPushesAtOnce = 4;  // each may hold a whole set file
constexpr std::chrono::minutes kLongestPush{15};
constexpr std::uint64_t kMaxTokenLifetimeSeconds = std::uint64_t{366} * 24 * 3600;
constexpr std::size_t kMaxTokenName = 64;
constexpr int kMaxTokenScopes = 32;
constexpr const char* kOperator = "operator";

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

void encode(const GoldenRun& run, v1::GoldenRun& out) {
  out.set_node(run.node);
  out.set_state(std::string(node_state_name(run.state)));
  out.set_first_seen_ms(to_ms(run.first_seen));
  out.set_this_boot(run.this_boot);
  out.set_own(run.own);
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

bool is_idempotency_key(std::string_view text) {
  return text.size() <= kMaxIdempotencyKeyBytes &&
         std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// What a push says beside its file.
struct PushWishes {
  std::string idempotency_key;
  bool draft = false;
};

// What calls share: the world, one change at a time of store and index, and how many pushes are
// under way.
struct Sets {
  GoldenWorld world;
  std::mutex changing = {};
  std::atomic<int> pushes = 0;

  GoldenActor operators() const { return {.by = kOperator, .at = world.clock.now()}; }

  // Makes what the store says what appraisals use.
  Status refresh() {
    const auto contents = world.index.refresh(world.store, world.clock.now());
    world.changed();  // also after a failure: it is tried again
    if (!contents) return tl::unexpected<Fault>(contents.error());
    world.sink.golden_changed(*contents);
    return {};
  }

  Result<GoldenPush> push(ByteView file, const Pusher& pusher, const PushWishes& wishes) {
    if (!is_idempotency_key(wishes.idempotency_key)) {
      return fail(FaultId::kRequestInvalid,
                  "an idempotency key is at most 128 printable characters");
    }
    ASSAY_TRY(PushedSet pushed, read_pushed_set(file, world.rules.signers));
    ASSAY_OK(pusher.may_push(pushed.set.name));
    const std::scoped_lock lock(changing);
    ASSAY_TRY(GoldenPush push, world.store.push_golden({.set = std::move(pushed.set),
                                                        .digest = pushed.digest,
                                                        .by = pusher.name,
                                                        .signed_by = std::move(pushed.signed_by),
                                                        .state = wishes.draft ? GoldenState::kDraft
                                                                              : world.rules.pushed,
                                                        .grace = world.rules.grace,
                                                        .idempotency_key = wishes.idempotency_key},
                                                       world.clock.now()));
    if (push.changed) ASSAY_OK(refresh());
    return push;
  }

  Result<GoldenRecord> approve(const GoldenId& id) {
    const std::scoped_lock lock(changing);
    ASSAY_TRY(GoldenRecord set, world.store.approve_golden(id, operators(), world.rules.grace));
    ASSAY_OK(refresh());
    return set;
  }

  Result<std::vector<GoldenRecord>> revoke(const GoldenId& id, std::string_view reason) {
    if (reason.empty() || reason.size() > kMaxRevocationReasonBytes) {
      return fail(FaultId::kRequestInvalid, "say why, in 1 to 512 bytes");
    }
    const std::scoped_lock lock(changing);
    ASSAY_TRY(auto sets, world.store.revoke_golden(id, operators(), reason));
    ASSAY_OK(refresh());
    return sets;
  }
};

// One push: pieces are collected up to the limit of an envelope. Deletes itself in OnDone.
class PushReactor final : public grpc::ServerReadReactor<v1::PushRequest> {
 public:
  PushReactor(Sets& sets, const CallbackServerContext& context, v1::PushResponse* response)
      : sets_(sets), response_(response) {
    if (const Status begun = begin(context); !begun) {
      Finish(to_status(begun.error()));
    } else {
      StartRead(&piece_);
    }
  }
  ~PushReactor() override {
    if (counted_) --sets_.pushes;
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(store());
    const ByteView data = as_bytes(piece_.data());
    if (data.size() > kMaxPieceBytes || data.size() > kMaxEnvelopeBytes - file_.size()) {
      return Finish(to_status(
          {.id = FaultId::kGoldenTooLarge, .detail = "a piece over 1 MiB or a file over 360 MiB"}));
    }
    if (file_.empty()) {
      wishes_ = {.idempotency_key = piece_.idempotency_key(), .draft = piece_.draft()};
    }
    file_.insert(file_.end(), data.begin(), data.end());
    StartRead(&piece_);
  }

  void OnDone() override { delete this; }

 private:
  // Only who may push takes one of the places, and for a time that ends.
  Status begin(const CallbackServerContext& context) {
    ASSAY_TRY(pusher_, sets_.world.pushers.authenticate(authorization_of(context)));
    if (context.deadline() > sets_.world.clock.now() + kLongestPush) {
      return fail(FaultId::kRequestInvalid, "give the push a deadline of at most 15 minutes");
    }
    counted_ = true;
    if (++sets_.pushes <= kMaxPushesAtOnce) return {};
    return fail(FaultId::kUnavailable, "other pushes are under way; try again");
  }

  grpc::Status store() {
    const auto push = sets_.push(file_, pusher_, wishes_);
    if (!push) return to_status(push.error());
    encode(push->set, *response_->mutable_set());
    response_->set_changed(push->changed);
    return grpc::Status::OK;
  }

  Sets& sets_;
  v1::PushResponse* response_;
  v1::PushRequest piece_;
  Pusher pusher_{};
  bool counted_ = false;  // among the pushes under way
  PushWishes wishes_;
  Bytes file_;
};

class GoldenService final : public v1::GoldenService::CallbackService {
 public:
  explicit GoldenService(const GoldenWorld& world) : sets_{world} {}

  grpc::ServerReadReactor<v1::PushRequest>* Push(CallbackServerContext* context,
                                                 v1::PushResponse* response) override {
    return new PushReactor(sets_, *context, response);  // owned by gRPC until OnDone
  }

  ServerUnaryReactor* List(CallbackServerContext* context, const v1::ListGoldenRequest*,
                           v1::ListGoldenResponse* response) override {
    return answer(*context, sets_.world.token, [&]() -> Status {
      ASSAY_TRY(const auto sets, sets_.world.store.golden_sets());
      encode(sets, *response);
      return {};
    });
  }

  ServerUnaryReactor* Get(CallbackServerContext* context, const v1::GetGoldenRequest* request,
                          v1::GetGoldenResponse* response) override {
    return answer(*context, sets_.world.token, [&]() -> Status {
      Store& store = sets_.world.store;
      const GoldenId id = id_of(request->name(), request->generation());
      ASSAY_TRY(const GoldenRecord set, store.golden_set(id));
      encode(set, *response->mutable_set());
      if (request->offset() == 0) {
        if (set.image) encode(*set.image, *response->mutable_image());
        response->mutable_facts()->insert(set.facts.begin(), set.facts.end());
        ASSAY_OK(add_signers(id, *response));
      }
      if (request->limit() == 0) return {};
      ASSAY_TRY(const auto files,
                store.golden_files(id, request->offset(), std::min(request->limit(), kMaxListed)));
      for (const GoldenFile& file : files) encode(file, *response->add_files());
      return {};
    });
  }

  ServerUnaryReactor* History(CallbackServerContext* context,
                              const v1::GoldenHistoryRequest* request,
                              v1::ListGoldenResponse* response) override {
    return answer(*context, sets_.world.token, [&]() -> Status {
      ASSAY_TRY(const auto sets, sets_.world.store.golden_history(request->name()));
      encode(sets, *response);
      return {};
    });
  }

  ServerUnaryReactor* Approve(CallbackServerContext* context,
                              const v1::ApproveGoldenRequest* request,
                              v1::ApproveGoldenResponse* response) override {
    return answer(*context, sets_.world.token, [&]() -> Status {
      ASSAY_TRY(const GoldenRecord set,
                sets_.approve(id_of(request->name(), request->generation())));
      encode(set, *response->mutable_set());
      return {};
    });
  }

  ServerUnaryReactor* Revoke(CallbackServerContext* context, const v1::RevokeGoldenRequest* request,
                             v1::ListGoldenResponse* response) override {
    return answer(*context, sets_.world.token, [&]() -> Status {
      ASSAY_TRY(const auto sets,
                sets_.revoke(id_of(request->name(), request->generation()), request->reason()));
      encode(sets, *response);
      return {};
    });
  }

  ServerUnaryReactor* ListRuns(CallbackServerContext* context,
                               const v1::ListGoldenRunsRequest* request,
                               v1::ListGoldenRunsResponse* response) override {
    return answer(*context, sets_.world.token, [&]() -> Status {
      ASSAY_TRY(const auto runs,
                sets_.world.store.golden_runs(id_of(request->name(), request->generation())));
      for (const GoldenRun& run : runs.nodes) encode(run, *response->add_runs());
      response->set_total(runs.total);
      return {};
    });
  }

  ServerUnaryReactor* CreatePushToken(CallbackServerContext* context,
                                      const v1::CreatePushTokenRequest* request,
                                      v1::CreatePushTokenResponse* response) override {
    return answer(*context, sets_.world.token, [&]() -> Status {
      ASSAY_TRY(const PushTokenRecord token, parse_token(*request, sets_.world.clock.now()));
      const std::string secret = make_push_token();
      ASSAY_OK(sets_.world.store.add_push_token(token, push_token_hash(secret), kOperator));
      encode(token, *response->mutable_token());
      response->set_secret(secret);
      return {};
    });
  }

  ServerUnaryReactor* ListPushTokens(CallbackServerContext* context,
                                     const v1::ListPushTokensRequest*,
                                     v1::ListPushTokensResponse* response) override {
    return answer(*context, sets_.world.token, [&]() -> Status {
      ASSAY_TRY(const auto tokens, sets_.world.store.push_tokens());
      for (const PushTokenRecord& token : tokens) encode(token, *response->add_tokens());
      return {};
    });
  }

  ServerUnaryReactor* RevokePushToken(CallbackServerContext* context,
                                      const v1::RevokePushTokenRequest* request,
                                      v1::RevokePushTokenResponse*) override {
    return answer(*context, sets_.world.token, [&]() -> Status {
      return sets_.world.store.revoke_push_token(request->name(), sets_.operators());
    });
  }

  ServerUnaryReactor* ListAudit(CallbackServerContext* context, const v1::ListAuditRequest* request,
                                v1::ListAuditResponse* response) override {
    return answer(*context, sets_.world.token, [&]() -> Status {
      ASSAY_TRY(
          const auto entries,
          sets_.world.store.audit(request->before_id(), std::min(request->limit(), kMaxListed)));
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
  Status add_signers(const GoldenId& set, v1::GetGoldenResponse& response) {
    ASSAY_TRY(const auto signers, sets_.world.store.golden_signers(set));
    for (const GoldenSigner& signer : signers) {
      v1::GoldenSigner& out = *response.add_signers();
      out.set_name(signer.name);
      out.set_key(format_digest(signer.key.fingerprint()));
    }
    return {};
  }

  Sets sets_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_golden_service(const GoldenWorld& world) {
  return std::make_unique<GoldenService>(world);
}

}  // namespace assay
