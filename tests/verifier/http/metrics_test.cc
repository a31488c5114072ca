#include "verifier/http/metrics.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"

namespace assay {
namespace {

using testing::ChildProcess;
using testing::TempDir;

// The value of one series: its name and labels as the text format writes them.
std::string value_of(const Metrics& metrics, const std::string& series) {
  const std::string text = '\n' + metrics.text();
  const std::size_t at = text.find('\n' + series + ' ');
  if (at == std::string::npos) return "no such series";
  const std::size_t begin = at + series.size() + 2;
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::size_t count_series(const Metrics& metrics) {
  const std::string text = metrics.text();
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

TEST_CASE("Metrics: known series stand at 0 from the start, so that rate() sees the first event") {
  const Metrics metrics;
  CHECK(value_of(metrics, "assay_build_info{version=\"" ASSAY_VERSION "\"}") == "1");
  for (const std::string series :
       {"assay_attestations_total{result=\"trusted\"}",
        "assay_attestations_total{result=\"compromised\"}",
        "assay_attestations_total{result=\"invalid\"}",
        "assay_attestations_total{result=\"no_answer\"}",
        "assay_attestation_duration_seconds_count",
        "assay_violations_total{kind=\"ima.unknown_digest\",severity=\"critical\"}",
        "assay_violations_total{kind=\"ima.pcr_mismatch\",severity=\"critical\"}",
        "assay_violations_active{kind=\"ima.unknown_digest\"}",
        "assay_nodes{state=\"trusted\"}",
        "assay_nodes{state=\"compromised\"}",
        "assay_nodes{state=\"stale\"}",
        "assay_nodes{state=\"unknown\"}",
        "assay_ima_entries_replayed_total",
        "assay_golden_images",
        "assay_ima_entries_accepted_total{rule=\"boot_aggregate\"}",
        "assay_ima_entries_accepted_total{rule=\"ima_policy\"}",
        "assay_ima_entries_accepted_total{rule=\"digest\"}",
        "assay_ima_entries_accepted_total{rule=\"signature\"}",
        "assay_golden_hashes",
        "assay_alert_queue_length",
        "assay_evidence_rejected_total{reason=\"quote.nonce_mismatch\"}",
        "assay_evidence_rejected_total{reason=\"evidence.none\"}"}) {
    CAPTURE(series);
    CHECK(value_of(metrics, series) == "0");
  }
}

TEST_CASE("Metrics: faults of our own side are no kind of violation and no reason to reject") {
  const Metrics metrics;
  CHECK(metrics.text().find("store.full") == std::string::npos);
}

TEST_CASE("Metrics: every call moves its series") {
  Metrics metrics;
  metrics.count_attestation(AttestationResult::kTrusted);
  metrics.count_attestation(AttestationResult::kTrusted);
  metrics.observe_attestation_duration(std::chrono::milliseconds(30));
  metrics.count_evidence_rejected(FaultId::kQuoteNonceMismatch);
  metrics.add_entries_replayed(80);
  const Digest key = Digest::zero(HashAlg::kSha256);
  metrics.add_entries_accepted({.boot_aggregate = 1,
                                .ima_policy = 2,
                                .digest = 70,
                                .signers = {{"a", key, 3}, {"b", key, 4}}});
  metrics.count_violation({.id = FaultId::kImaUnknownDigest});
  metrics.set_violations_active(FaultId::kImaUnknownDigest, 3);
  metrics.set_golden({.sets = 2, .hashes = 30'000});
  metrics.add_sink("hook");
  CHECK(value_of(metrics, "assay_alerts_sent_total{sink=\"hook\"}") == "0");
  CHECK(value_of(metrics, "assay_alerts_failed_total{sink=\"hook\"}") == "0");
  metrics.count_alert_sent("hook");
  metrics.count_alert_failed("hook");
  metrics.set_alert_queue_length(7);

  CHECK(value_of(metrics, "assay_attestations_total{result=\"trusted\"}") == "2");
  CHECK(value_of(metrics, "assay_attestation_duration_seconds_count") == "1");
  CHECK(value_of(metrics, "assay_attestation_duration_seconds_bucket{le=\"0.025\"}") == "0");
  CHECK(value_of(metrics, "assay_attestation_duration_seconds_bucket{le=\"0.05\"}") == "1");
  CHECK(value_of(metrics, "assay_evidence_rejected_total{reason=\"quote.nonce_mismatch\"}") == "1");
  CHECK(value_of(metrics, "assay_ima_entries_replayed_total") == "80");
  CHECK(value_of(metrics, "assay_ima_entries_accepted_total{rule=\"boot_aggregate\"}") == "1");
  CHECK(value_of(metrics, "assay_ima_entries_accepted_total{rule=\"ima_policy\"}") == "2");
  CHECK(value_of(metrics, "assay_ima_entries_accepted_total{rule=\"digest\"}") == "70");
  CHECK(value_of(metrics, "assay_ima_entries_accepted_total{rule=\"signature\"}") == "7");
  CHECK(value_of(metrics,
                 "assay_violations_total{kind=\"ima.unknown_digest\",severity=\"critical\"}") ==
        "1");
  CHECK(value_of(metrics, "assay_violations_active{kind=\"ima.unknown_digest\"}") == "3");
  CHECK(value_of(metrics, "assay_golden_images") == "2");
  CHECK(value_of(metrics, "assay_golden_hashes") == "30000");
  CHECK(value_of(metrics, "assay_alerts_sent_total{sink=\"hook\"}") == "1");
  CHECK(value_of(metrics, "assay_alerts_failed_total{sink=\"hook\"}") == "1");
  CHECK(value_of(metrics, "assay_alert_queue_length") == "7");
}

TEST_CASE("set_node_state: a node is in exactly one state, and is counted there") {
  Metrics metrics;
  metrics.set_node_state("n1", NodeState::kUnknown);
  metrics.set_node_state("n2", NodeState::kTrusted);
  metrics.set_node_state("n1", NodeState::kCompromised);
  metrics.set_node_state("n1", NodeState::kCompromised);
  for (const NodeState state : kAllNodeStates) {
    const std::string name(node_state_name(state));
    CAPTURE(name);
    const bool here = state == NodeState::kCompromised;
    CHECK(value_of(metrics, "assay_node_state{node=\"n1\",state=\"" + name + "\"}") ==
          (here ? "1" : "0"));
    const bool counted = here || state == NodeState::kTrusted;
    CHECK(value_of(metrics, "assay_nodes{state=\"" + name + "\"}") == (counted ? "1" : "0"));
  }
}

TEST_CASE("set_last_verified: seconds since 1970, and 0 for a node that never was") {
  Metrics metrics;
  const std::string series = "assay_node_last_verified_timestamp_seconds{node=\"n1\"}";
  metrics.set_node_state("n1", NodeState::kUnknown);
  CHECK(value_of(metrics, series) == "0");
  metrics.set_last_verified("n1", Instant(std::chrono::milliseconds(1'700'000'000'250)));
  CHECK(std::stod(value_of(metrics, series)) == doctest::Approx(1'700'000'000.25).epsilon(1e-12));
  metrics.set_node_state("n1", NodeState::kTrusted);
  CHECK(std::stod(value_of(metrics, series)) > 1);
}

TEST_CASE("Metrics: the number of series does not grow with what is found") {
  Metrics metrics;
  metrics.count_violation({.id = FaultId::kImaUnknownDigest});
  const std::size_t before = count_series(metrics);
  for (int i = 0; i < 1000; ++i) metrics.count_violation({.id = FaultId::kImaUnknownDigest});
  CHECK(count_series(metrics) == before);
}

TEST_CASE("Metrics: promtool finds nothing to complain of") {
  Metrics metrics;
  metrics.set_node_state("n1", NodeState::kTrusted);
  metrics.add_sink("hook");
  const TempDir dir;
  const auto exposition = dir.write("metrics.txt", metrics.text());
  const auto output = dir / "out.txt";
  ChildProcess promtool(
      {.argv = {"sh", "-c", "exec promtool check metrics <" + exposition.string()},
       .output = output});
  const auto status = promtool.wait();
  if (status == 127) {
    MESSAGE("left out: promtool is not installed (Debian package prometheus)");
    return;
  }
  CHECK(status == 0);
  CHECK(testing::read_file(output) == "");
}

}  // namespace
TEST_CASE("Metrics: the cluster is in it where somebody asks it") {
  Metrics metrics;
  CHECK(metrics.text().find("assay_cluster_up 0") == std::string::npos);
  metrics.set_cluster(Metrics::Reach::kDown);
  CHECK(value_of(metrics, "assay_cluster_up") == "0");
  metrics.set_cluster(Metrics::Reach::kUp);
  CHECK(value_of(metrics, "assay_cluster_up") == "1");
}

TEST_CASE("Metrics: each issuer whose keys are fetched is in it") {
  Metrics metrics;
  metrics.set_issuer_keys("https://issuer.example", Metrics::Reach::kUp);
  metrics.set_issuer_keys("https://other.example", Metrics::Reach::kUp);
  metrics.set_issuer_keys("https://other.example", Metrics::Reach::kDown);
  CHECK(value_of(metrics, "assay_identity_keys_up{issuer=\"https://issuer.example\"}") == "1");
  CHECK(value_of(metrics, "assay_identity_keys_up{issuer=\"https://other.example\"}") == "0");
}

}  // namespace assay
