#include "verifier/services/golden_service.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "assay/v1/golden.grpc.pb.h"
#include "golden/set_file.h"
#include "verifier/services/authorise.h"

namespace assay {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr std::size_t kMaxPieceBytes = std::size_t{1} << 20;
constexpr std::uint32_t kMaxListed = 1000;
constexpr int kMaxPushesAtOnce = 4;  // each may hold a whole set file

void encode(const GoldenRecord& set, v1::GoldenSummary& out) {
  out.set_name(set.name);
  out.set_digest(format_digest(set.digest));
  out.set_generation(set.generation);
  out.set_files(set.files);
  out.set_hashes(set.hashes);
  out.set_signers(set.signers);
  out.set_source(set.source);
  out.set_pushed_at_ms(set.pushed_at.time_since_epoch().count());
}

// What pushes share: the world, one push at a time into store and index, and how many are under way.
struct Pushes {
  GoldenWorld world;
  std::mutex changing = {};
  std::atomic<int> under_way = 0;

  // Stores a set file and makes it what appraisals use.
  Result<GoldenPush> store(ByteView file) {
    ASSAY_TRY(const GoldenSet set, parse_golden_set(file));
    const std::scoped_lock lock(changing);
    ASSAY_TRY(GoldenPush push,
              world.store.push_golden(set, hash(HashAlg::kSha256, file), world.clock.now()));
    if (!push.changed) return push;
    ASSAY_TRY(GoldenSnapshot snapshot, world.store.load_golden_snapshot());
    world.index.replace(std::move(snapshot));
    world.sink.golden_changed(*world.index.current());
    return push;
  }
};

// One push: pieces are collected up to the limit of a set file. Deletes itself in OnDone.
class PushReactor final : public grpc::ServerReadReactor<v1::PushRequest> {
 public:
  PushReactor(Pushes& pushes, const CallbackServerContext& context, v1::PushResponse* response)
      : pushes_(pushes), response_(response) {
    const bool room = ++pushes_.under_way <= kMaxPushesAtOnce;
    grpc::Status status = authorise(context, pushes_.world.token);
    if (status.ok() && !room) {
      status = to_status(
          {.id = FaultId::kUnavailable, .detail = "other pushes are under way; try again"});
    }
    if (status.ok()) {
      StartRead(&piece_);
    } else {
      Finish(status);
    }
  }
  ~PushReactor() override { --pushes_.under_way; }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(store());
    const ByteView data = as_bytes(piece_.data());
    if (data.size() > kMaxPieceBytes || data.size() > kMaxSetFileBytes - file_.size()) {
      return Finish(to_status({.id = FaultId::kGoldenTooLarge,
                               .detail = "a piece over 1 MiB or a set file over 256 MiB"}));
    }
    file_.insert(file_.end(), data.begin(), data.end());
    StartRead(&piece_);
  }

  void OnDone() override { delete this; }

 private:
  grpc::Status store() {
    const auto push = pushes_.store(file_);
    if (!push) return to_status(push.error());
    encode(push->set, *response_->mutable_set());
    response_->set_changed(push->changed);
    return grpc::Status::OK;
  }

  Pushes& pushes_;
  v1::PushResponse* response_;
  v1::PushRequest piece_;
  Bytes file_;
};

class GoldenService final : public v1::GoldenService::CallbackService {
 public:
  explicit GoldenService(const GoldenWorld& world) : pushes_{world} {}

  grpc::ServerReadReactor<v1::PushRequest>* Push(CallbackServerContext* context,
                                                 v1::PushResponse* response) override {
    return new PushReactor(pushes_, *context, response);  // owned by gRPC until OnDone
  }

  ServerUnaryReactor* List(CallbackServerContext* context, const v1::ListGoldenRequest*,
                           v1::ListGoldenResponse* response) override {
    return answer(*context, pushes_.world.token, [&]() -> Status {
      ASSAY_TRY(const auto sets, pushes_.world.store.golden_sets());
      for (const GoldenRecord& set : sets) encode(set, *response->add_sets());
      return {};
    });
  }

  ServerUnaryReactor* Get(CallbackServerContext* context, const v1::GetGoldenRequest* request,
                          v1::GetGoldenResponse* response) override {
    return answer(*context, pushes_.world.token, [&]() -> Status {
      Store& store = pushes_.world.store;
      ASSAY_TRY(const GoldenRecord set, store.golden_set(request->name()));
      encode(set, *response->mutable_set());
      if (request->offset() == 0) ASSAY_OK(add_signers(request->name(), *response));
      if (request->limit() == 0) return {};
      ASSAY_TRY(const auto files, store.golden_files(request->name(), request->offset(),
                                                     std::min(request->limit(), kMaxListed)));
      for (const GoldenFile& file : files) {
        for (const Digest& digest : file.digests) {
          v1::GoldenFile& out = *response->add_files();
          out.set_path(file.path);
          out.set_digest(format_digest(digest));
        }
      }
      return {};
    });
  }

 private:
  Status add_signers(const std::string& set, v1::GetGoldenResponse& response) {
    ASSAY_TRY(const auto signers, pushes_.world.store.golden_signers(set));
    for (const GoldenSigner& signer : signers) {
      v1::GoldenSigner& out = *response.add_signers();
      out.set_name(signer.name);
      out.set_key(format_digest(signer.key.fingerprint()));
    }
    return {};
  }

  Pushes pushes_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_golden_service(const GoldenWorld& world) {
  return std::make_unique<GoldenService>(world);
}

}  // namespace assay
