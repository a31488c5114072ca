// Pushes and other changes of golden sets, for every port that takes them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/attribution/cluster_snapshot.h"
#include "verifier/access/pushers.h"
#include "verifier/access/set_signers.h"
#include "verifier/clock.h"
#include "verifier/golden_index.h"
#include "verifier/services/operator_token.h"
#include "verifier/store/store.h"

namespace assay {

// Sees the golden sets change: metrics.
class GoldenSink {
 public:
  virtual ~GoldenSink() = default;
  virtual void golden_changed(const GoldenIndex::Contents& contents) = 0;
};

// What pushes have to bring, and what they become.
struct PushRules {
  std::vector<SignerRule> signers;
  GoldenState pushed = GoldenState::kApproved;
  std::chrono::milliseconds grace{};
};

struct GoldenWorld {
  Store& store;
  GoldenIndex& index;
  GoldenSink& sink;
  const Clock& clock;
  const OperatorToken& token;
  const Pushers& pushers;
  const PushRules& rules;
  std::function<void()> changed;  // after every change of a set
  // What the control plane says of pods now; null, or gives null: nobody asks it.
  std::function<std::shared_ptr<const ClusterSnapshot>()> cluster = {};
};

// What a push says beside its file.
struct PushWishes {
  std::string idempotency_key{};  // untrusted; empty: none
  bool draft = false;
};

inline constexpr int kMaxPushesAtOnce = 4;  // each may hold a whole set file
inline constexpr std::chrono::minutes kLongestPush{15};

class GoldenSets;

// One push by somebody who has proven to be allowed to push, and has one of the places until this is gone.
class OpenPush {
 public:
  // The next bytes of the file; untrusted. kGoldenTooLarge over the limit of an envelope in all.
  Status add(ByteView piece);
  // The same, for so many bytes that are still to come.
  Status expect(std::uint64_t bytes) const;
  bool empty() const { return file_.empty(); }

  // Makes the file the next generation of its name, and what appraisals use.
  //
  // Fails with kRequestInvalid for an idempotency key that is none, kGoldenNameRefused for a name that
  // is not the pusher's, and as read_pushed_set(), Pushers::claim() and Store::push_golden().
  Result<GoldenPush> store(const PushWishes& wishes);

 private:
  friend class GoldenSets;
  struct GiveBack {
    void operator()(std::atomic<int>* places) const { --*places; }
  };
  using Place = std::unique_ptr<std::atomic<int>, GiveBack>;
  OpenPush(GoldenSets& sets, Pusher pusher, Place place)
      : sets_(&sets), pusher_(std::move(pusher)), place_(std::move(place)) {}

  GoldenSets* sets_;
  Pusher pusher_;
  Place place_;
  Bytes file_;
};

// One change at a time of store and index. Safe from any thread; borrows what is in `world`, and
// outlives every OpenPush.
class GoldenSets {
 public:
  static constexpr std::string_view kOperator = "operator";

  explicit GoldenSets(GoldenWorld world) : world_(std::move(world)) {}

  // The one way in for a push, whichever port it comes by.
  //
  //   shown     by the caller
  //   deadline  when the caller's port ends the push, finished or not
  //
  // Fails, in this order, as Pushers::authenticate(), with kRequestInvalid for a deadline that is
  // further away than kLongestPush, and kUnavailable while kMaxPushesAtOnce others are under way.
  Result<OpenPush> open_push(const PushCredentials& shown, Instant deadline);

  // By an operator. Fails as the store; revoke() with kRequestInvalid too, for a reason that is none.
  Result<GoldenRecord> approve(const GoldenId& id);
  Result<std::vector<GoldenRecord>> revoke(const GoldenId& id, std::string_view reason);

  GoldenActor operators() const { return {.by = std::string(kOperator), .at = world_.clock.now()}; }

 private:
  friend class OpenPush;
  Result<GoldenPush> push(ByteView file, const Pusher& pusher, const PushWishes& wishes);
  Status refresh();

  const GoldenWorld world_;
  std::mutex changing_;
  std::atomic<int> pushes_ = 0;
};

}  // namespace assay
