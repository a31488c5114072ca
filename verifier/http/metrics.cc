#include "verifier/http/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <sstream>

namespace assay {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
template <typename T>
using Family = prometheus::Family<T>;

constexpr FaultId kAllFaults[] = {
#define ASSAY_FAULT_VALUE(id, name, fault_class, severity, meaning) FaultId::id,
    ASSAY_FAULTS(ASSAY_FAULT_VALUE)
#undef ASSAY_FAULT_VALUE
};

constexpr AttestationResult kAllResults[] = {
    AttestationResult::kTrusted, AttestationResult::kCompromised, AttestationResult::kInvalid,
    AttestationResult::kNoAnswer};

std::string result_name(AttestationResult result) {
  switch (result) {
    case AttestationResult::kTrusted:
      return "trusted";
    case AttestationResult::kCompromised:
      return "compromised";
    case AttestationResult::kInvalid:
      return "invalid";
    case AttestationResult::kNoAnswer:
      return "no_answer";
  }
  return "invalid";
}

// A violation is what a verdict holds against a node; what makes evidence worthless is a rejection.
bool is_violation_kind(FaultId id) {
  const FaultClass kind = fault_class(id);
  return kind == FaultClass::kViolation || kind == FaultClass::kTampering;
}

bool is_rejection_reason(FaultId id) {
  return fault_class(id) != FaultClass::kOperation;
}

// A quote check takes about a millisecond, a TPM up to some seconds for a quote.
const Histogram::BucketBoundaries kDurationBuckets = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                      0.5,   1,     2.5,  5,     10,   30};

}  // namespace

class Metrics::Families {
 private:
  Family<Counter>& counters(const std::string& name, const std::string& help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
  }
  Family<Gauge>& gauges(const std::string& name, const std::string& help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
  }
  Histogram& histogram(const std::string& name, const std::string& help) {
    auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
    return family.Add({}, kDurationBuckets);
  }

  prometheus::Registry registry_;  // first: it owns the families

 public:
  std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, registry_.Collect());
    return std::move(out).str();
  }

  Family<Gauge>& build_info =
      gauges("assay_build_info", "Constant 1, labelled with the verifier's version.");
  Family<Counter>& attestations =
      counters("assay_attestations_total", "Attempts to attest a node, by how they ended.");
  Histogram& duration = histogram("assay_attestation_duration_seconds",
                                  "Time that judging an answer took: quote, replay, accounting.");
  Family<Counter>& violations = counters(
      "assay_violations_total", "Violations found since the verifier started, by fault id.");
  Family<Gauge>& violations_active =
      gauges("assay_violations_active", "Violations that are open now, by fault id.");
  Family<Gauge>& node_state =
      gauges("assay_node_state", "1 for the state that a node is in, 0 for the other states.");
  Family<Gauge>& nodes = gauges("assay_nodes", "Enrolled nodes, by state.");
  Family<Gauge>& last_verified =
      gauges("assay_node_last_verified_timestamp_seconds",
             "When evidence of a node was last proven, in seconds since 1970; 0: never.");
  Counter& entries = counters("assay_ima_entries_replayed_total",
                              "Measurement log entries that were replayed and judged.")
                         .Add({});
  Family<Counter>& accepted =
      counters("assay_ima_entries_accepted_total",
               "Proven measurement log entries without a fault, by the rule that accepted them.");
  Gauge& golden_sets =
      gauges("assay_golden_images", "Golden sets that evidence is judged against.").Add({});
  Gauge& golden_hashes =
      gauges("assay_golden_hashes", "File digests in golden sets, of each set added up.").Add({});
  Family<Gauge>& issuer_keys =
      gauges("assay_identity_keys_up", "Whether an issuer's keys could be fetched the last time.");
  Family<Gauge>& cluster =
      gauges("assay_cluster_up",
             "Whether the Kubernetes API answers; while it does not, pods may be missing.");
  Family<Counter>& alerts_sent =
      counters("assay_alerts_sent_total", "Notifications that a sink has taken.");
  Family<Counter>& alerts_failed =
      counters("assay_alerts_failed_total", "Attempts to deliver a notification that failed.");
  Gauge& alert_queue =
      gauges("assay_alert_queue_length", "Notifications that wait to be delivered.").Add({});
  Family<Counter>& rejected = counters("assay_evidence_rejected_total",
                                       "Answers of nodes that proved nothing, by fault id.");

  // For assay_nodes: a node's move takes one gauge down and one up.
  std::mutex mutex;
  std::map<std::string, NodeState, std::less<>> states;
};

namespace {

Counter& violation_counter(Family<Counter>& family, FaultId id, Severity severity) {
  return family.Add(
      {{"kind", std::string(fault_name(id))}, {"severity", std::string(severity_name(severity))}});
}

Gauge& state_gauge(Family<Gauge>& family, NodeState state) {
  return family.Add({{"state", std::string(node_state_name(state))}});
}

template <typename T>
T& labelled(Family<T>& family, const char* label, std::string_view value) {
  return family.Add({{label, std::string(value)}});
}

}  // namespace

Metrics::Metrics() : families_(std::make_unique<Families>()) {
  labelled(families_->build_info, "version", ASSAY_VERSION).Set(1);
  for (const AttestationResult result : kAllResults) {
    labelled(families_->attestations, "result", result_name(result));
  }
  add_entries_accepted({});
  for (const NodeState state : kAllNodeStates) state_gauge(families_->nodes, state);
  for (const FaultId id : kAllFaults) {
    if (is_rejection_reason(id)) labelled(families_->rejected, "reason", fault_name(id));
    if (!is_violation_kind(id)) continue;
    violation_counter(families_->violations, id, fault_severity(id));
    if (fault_class(id) == FaultClass::kViolation) {  // a policy may let it only warn
      violation_counter(families_->violations, id, Severity::kWarning);
    }
    labelled(families_->violations_active, "kind", fault_name(id));
  }
}

Metrics::~Metrics() = default;

void Metrics::count_attestation(AttestationResult result) {
  labelled(families_->attestations, "result", result_name(result)).Increment();
}

void Metrics::observe_attestation_duration(std::chrono::nanoseconds duration) {
  families_->duration.Observe(std::chrono::duration<double>(duration).count());
}

void Metrics::count_evidence_rejected(FaultId reason) {
  labelled(families_->rejected, "reason", fault_name(reason)).Increment();
}

void Metrics::add_entries_replayed(std::uint64_t entries) {
  families_->entries.Increment(static_cast<double>(entries));
}

void Metrics::add_entries_accepted(const AcceptedEntries& accepted) {
  std::uint64_t signatures = 0;
  for (const AcceptedEntries::Signer& signer : accepted.signers) signatures += signer.entries;
  const std::pair<std::string_view, std::uint64_t> rules[] = {
      {"boot_aggregate", accepted.boot_aggregate},
      {"ima_policy", accepted.ima_policy},
      {"digest", accepted.digest},
      {"monitored", accepted.monitored},
      {"signature", signatures}};
  for (const auto& [rule, entries] : rules) {
    labelled(families_->accepted, "rule", rule).Increment(static_cast<double>(entries));
  }
}

void Metrics::set_node_state(std::string_view node, NodeState state) {
  const std::scoped_lock lock(families_->mutex);
  for (const NodeState each : kAllNodeStates) {
    families_->node_state
        .Add({{"node", std::string(node)}, {"state", std::string(node_state_name(each))}})
        .Set(each == state ? 1 : 0);
  }
  const auto [known, added] = families_->states.try_emplace(std::string(node), state);
  if (added) {
    labelled(families_->last_verified, "node", node);
  } else {
    state_gauge(families_->nodes, known->second).Decrement();
    known->second = state;
  }
  state_gauge(families_->nodes, state).Increment();
}

void Metrics::set_last_verified(std::string_view node, Instant at) {
  labelled(families_->last_verified, "node", node)
      .Set(std::chrono::duration<double>(at.time_since_epoch()).count());
}

void Metrics::count_violation(const Fault& fault) {
  violation_counter(families_->violations, fault.id, severity_of(fault)).Increment();
}

void Metrics::set_violations_active(FaultId kind, std::uint64_t open) {
  labelled(families_->violations_active, "kind", fault_name(kind)).Set(static_cast<double>(open));
}

void Metrics::set_golden(Golden golden) {
  families_->golden_sets.Set(static_cast<double>(golden.sets));
  families_->golden_hashes.Set(static_cast<double>(golden.hashes));
}

void Metrics::set_cluster(Reach state) {
  families_->cluster.Add({}).Set(state == Reach::kUp ? 1 : 0);
}

void Metrics::set_issuer_keys(std::string_view issuer, Reach state) {
  labelled(families_->issuer_keys, "issuer", issuer).Set(state == Reach::kUp ? 1 : 0);
}

void Metrics::add_sink(std::string_view sink) {
  labelled(families_->alerts_sent, "sink", sink);
  labelled(families_->alerts_failed, "sink", sink);
}

void Metrics::count_alert_sent(std::string_view sink) {
  labelled(families_->alerts_sent, "sink", sink).Increment();
}

void Metrics::count_alert_failed(std::string_view sink) {
  labelled(families_->alerts_failed, "sink", sink).Increment();
}

void Metrics::set_alert_queue_length(std::uint64_t notifications) {
  families_->alert_queue.Set(static_cast<double>(notifications));
}

std::string Metrics::text() const {
  return families_->text();
}

}  // namespace assay
