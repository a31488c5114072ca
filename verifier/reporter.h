// What happened, told to metrics, log and outbox. It cannot change a verdict.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "verifier/cluster/cluster.h"
#include "verifier/http/metrics.h"
#include "verifier/identity/fetched_keys.h"
#include "verifier/ledger.h"
#include "verifier/services/golden_sets.h"
#include "verifier/sessions/sessions.h"
#include "verifier/sinks/outbox.h"
#include "verifier/store/store.h"

namespace assay {

// Safe from any thread; borrows what it is given.
class Reporter final : public VerdictSink,
                       public AttemptSink,
                       public GoldenSink,
                       public DeliveryWatcher,
                       public KeyWatcher,
                       public ClusterWatcher {
 public:
  Reporter(Metrics& metrics, Store& store) : metrics_(metrics), store_(store) {}

  // Called when notifications may have been queued.
  void set_outbox_wake(std::function<void()> wake);

  // Nothing while the store keeps what it is given, else why it does not.
  Status store_status() const;

  void publish(const NodeRecord& node, const std::vector<Fault>& found) override;

  void judged(const Appraisal& appraisal, std::chrono::nanoseconds took) override;
  void rejected(const Fault& reason) override;
  void unanswered(const Fault& reason) override;
  void not_stored(const Fault& reason) override;

  void golden_changed(const GoldenIndex::Contents& contents) override;

  void sent(std::string_view sink) override;
  void failed(std::string_view sink, const DeliveryFailure& failure) override;
  void queue_length(std::uint64_t notifications) override;
  void store_failed(const Fault& fault) override { not_stored(fault); }

  void keys_fetched(std::string_view issuer, std::size_t keys) override;
  void keys_not_fetched(std::string_view issuer, const Fault& why) override;

  void cluster_seen(std::size_t pods) override;
  void cluster_lost(const Fault& why) override;
  void placements_not_kept(const Fault& why) override { not_stored(why); }

 private:
  struct Seen {
    NodeState state;
    std::uint64_t open_violations;
  };

  void log(const NodeRecord& node, const std::vector<Fault>& found) const;
  void count_open_violations();

  Metrics& metrics_;
  Store& store_;
  Guarded<std::map<NodeId, Seen>> seen_;
  Guarded<std::function<void()>> outbox_wake_;
  Guarded<Status> store_status_;
};

}  // namespace assay
