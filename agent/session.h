// The agent's life: a stream to the verifier, answered until it breaks, and dialled again.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>

#include "agent/backoff.h"
#include "agent/measurements.h"
#include "agent/protocol.h"
#include "agent/stream.h"
#include "agent/tpm/tpm.h"
#include "agent/wakeup.h"

namespace assay::agent {

// Runs on one thread, which does the TPM's and the log's work as well: gRPC's threads only bring
// and take messages. Logs one line for each outcome.
class Session {
 public:
  struct Settings {
    Endpoint endpoint;
    std::string node_name = {};
    std::string join_token = {};  // empty: none
    ImaLogForm log_form = {};
    BootEvidencePaths boot = {};
    std::string kubelet_pods = {};  // the folder of pods; empty: nothing is claimed of them
    std::chrono::milliseconds poll_interval;
  };

  // `tpm`, `measurements` and `wakeup` are borrowed.
  Session(Settings settings, const Tpm& tpm, const Measurements& measurements, Wakeup& wakeup);

  // Answers the verifier until the process is to stop.
  void run();

 private:
  // One stream, until it closes: says why, or nothing when the process is to stop.
  std::optional<Fault> serve();
  // Does what the protocol wants done, and tells it.
  void perform(Protocol& protocol, const Action& action);
  // Everything that the protocol wants done now.
  void advance(Protocol& protocol, Stream& stream);
  // One thing that has happened on the stream, if any: says why it closed, if it did.
  std::optional<Fault> absorb(Protocol& protocol, Stream& stream);
  void received(Protocol& protocol, Received message);
  Result<Identity> read_identity() const;
  Result<TakenQuote> take_quote(const Challenge& challenge) const;
  // Nothing: the folder cannot be read. What is wrong is logged when it changes.
  std::optional<PodClaims> read_pods();
  // How long to wait before the next attempt, and the line that says so.
  std::chrono::milliseconds pause_after(const Fault& fault);

  Settings settings_;
  const Tpm& tpm_;
  const Measurements& measurements_;
  Wakeup& wakeup_;
  std::string pods_trouble_;  // as logged; empty: there is none
  Backoff backoff_;
  std::mt19937 random_;
};

}  // namespace assay::agent
