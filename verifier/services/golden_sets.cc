#include "verifier/services/golden_sets.h"

#include <algorithm>
#include <utility>

namespace assay {
namespace {

bool is_idempotency_key(std::string_view text) {
  return text.size() <= kMaxIdempotencyKeyBytes &&
         std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

Status OpenPush::expect(std::uint64_t bytes) const {
  if (bytes <= kMaxEnvelopeBytes - file_.size()) return {};
  return fail(FaultId::kGoldenTooLarge,
              "a file over " + std::to_string(kMaxEnvelopeBytes >> 20) + " MiB");
}

Status OpenPush::add(ByteView piece) {
  ASSAY_OK(expect(piece.size()));
  file_.insert(file_.end(), piece.begin(), piece.end());
  return {};
}

Result<GoldenPush> OpenPush::store(const PushWishes& wishes) {
  return sets_->push(file_, pusher_, wishes);
}

// Only who may push takes one of the places, and for a time that ends.
Result<OpenPush> GoldenSets::open_push(const PushCredentials& shown, Instant deadline) {
  ASSAY_TRY(Pusher pusher, world_.pushers.authenticate(shown));
  if (deadline > world_.clock.now() + kLongestPush) {
    return fail(FaultId::kRequestInvalid, "give the push a deadline of at most 15 minutes");
  }
  const int others = pushes_++;
  OpenPush::Place place(&pushes_);
  if (others >= kMaxPushesAtOnce) {
    return fail(FaultId::kUnavailable, "other pushes are under way; try again");
  }
  return OpenPush(*this, std::move(pusher), std::move(place));
}

Result<GoldenPush> GoldenSets::push(ByteView file, const Pusher& pusher, const PushWishes& wishes) {
  if (!is_idempotency_key(wishes.idempotency_key)) {
    return fail(FaultId::kRequestInvalid, "an idempotency key is at most 128 printable characters");
  }
  ASSAY_TRY(PushedSet pushed, read_pushed_set(file, world_.rules.signers));
  ASSAY_OK(pusher.may_push(pushed.set.name));
  ASSAY_TRY(std::string key,
            world_.pushers.claim(pusher, {.set_name = pushed.set.name,
                                          .set = pushed.digest,
                                          .idempotency_key = wishes.idempotency_key}));
  const std::scoped_lock lock(changing_);
  ASSAY_TRY(GoldenPush push, world_.store.push_golden(
                                 {.set = std::move(pushed.set),
                                  .digest = pushed.digest,
                                  .by = pusher.name,
                                  .signed_by = std::move(pushed.signed_by),
                                  .state = wishes.draft ? GoldenState::kDraft : world_.rules.pushed,
                                  .grace = world_.rules.grace,
                                  .idempotency_key = std::move(key)},
                                 world_.clock.now()));
  if (push.changed) ASSAY_OK(refresh());
  return push;
}

Result<GoldenRecord> GoldenSets::approve(const GoldenId& id) {
  const std::scoped_lock lock(changing_);
  ASSAY_TRY(GoldenRecord set, world_.store.approve_golden(id, operators(), world_.rules.grace));
  ASSAY_OK(refresh());
  return set;
}

Result<std::vector<GoldenRecord>> GoldenSets::revoke(const GoldenId& id, std::string_view reason) {
  if (reason.empty() || reason.size() > kMaxRevocationReasonBytes) {
    return fail(FaultId::kRequestInvalid, "say why, in 1 to 512 bytes");
  }
  const std::scoped_lock lock(changing_);
  ASSAY_TRY(auto sets, world_.store.revoke_golden(id, operators(), reason));
  ASSAY_OK(refresh());
  return sets;
}

// Makes what the store says what appraisals use.
Status GoldenSets::refresh() {
  const auto contents = world_.index.refresh(world_.store, world_.clock.now());
  world_.changed();  // also after a failure: it is tried again
  if (!contents) return tl::unexpected<Fault>(contents.error());
  world_.sink.golden_changed(*contents);
  return {};
}

}  // namespace assay
