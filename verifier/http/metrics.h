// What Prometheus sees of the verifier. No label holds a path, a digest or anything else that a
// node can choose.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/appraise.h"
#include "core/fault.h"
#include "core/verdict.h"

namespace assay {

// How an attempt to attest a node ended.
enum class AttestationResult : std::uint8_t {
  kTrusted,      // proven, nothing wrong
  kCompromised,  // proven, with violations, or in contradiction to what was proven before
  kInvalid,      // an answer that proves nothing
  kNoAnswer,     // none came in time
};

// The families of docs and dashboards: names are never changed. Every known label value stands at 0
// from the start, or from the first mention of its node or sink, so that rate() sees the first
// event. Safe from any thread.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void count_attestation(AttestationResult result);
  // How long judging one answer took: quote check, replay, accounting.
  void observe_attestation_duration(std::chrono::nanoseconds duration);
  void count_evidence_rejected(FaultId reason);
  void add_entries_replayed(std::uint64_t entries);
  void add_entries_accepted(const AcceptedEntries& accepted);  // of keys: all together

  void set_node_state(std::string_view node, NodeState state);
  void set_last_verified(std::string_view node, Instant at);  // 0 until the first call

  // `kind` is the fault's id, and `severity` its own, or warning where a policy says so.
  void count_violation(const Fault& fault);
  void set_violations_active(FaultId kind, std::uint64_t open);

  struct Golden {
    std::uint64_t sets;
    std::uint64_t hashes;
  };
  void set_golden(Golden golden);

  enum class Reach : std::uint8_t { kDown, kUp };
  void set_cluster(Reach state);  // there from the first call on, as is the next
  void set_issuer_keys(std::string_view issuer, Reach state);

  void add_sink(std::string_view sink);  // so that its counters stand at 0
  void count_alert_sent(std::string_view sink);
  void count_alert_failed(std::string_view sink);
  void set_alert_queue_length(std::uint64_t notifications);

  // The Prometheus text format, version 0.0.4.
  std::string text() const;

 private:
  class Families;
  std::unique_ptr<Families> families_;
};

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace assay
