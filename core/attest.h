// The whole of remote attestation as one calculation: evidence in, appraisal out.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/appraise.h"
#include "core/history.h"
#include "core/policy.h"

namespace assay {

// What a node sent. Untrusted; borrowed for the call.
struct Evidence {
  const UntrustedQuote& quote;
  ByteView ima_log;                       // from the entry that was asked for
  ImaLogForm ima_log_form = {};           // as the node declares it: the replay confirms it
  std::optional<ByteView> boot_log = {};  // binary_bios_measurements
  ByteView command_line = {};             // /proc/cmdline: a claim
};

enum class BootQuestion : std::uint8_t {
  kNotAsked,  // a boot log that comes all the same is replayed, and no more
  kAsked,     // the boot is described and judged; a node without a boot log has sent none
};

// What the verifier knows and asked for. Borrowed for the call.
struct Expectation {
  const AkPublic& ak;
  const Nonce& nonce;
  QuotePolicy policy = {};
  // What the quote has to cover, no more, no fewer; the boot is then judged by the primary bank. None:
  // whatever it covers, and the boot by all of that.
  std::optional<PcrSelection> selection = {};
  LogCheckpoint from = {};  // proven part of the log, which was not asked for
  LogStart log_start = LogStart::kAtCheckpoint;
  std::optional<TpmClock> last_clock = {};  // of the evidence that `from` comes from
  const GoldenSnapshot* golden = nullptr;   // null: judge authenticity and replay only
  BootQuestion boot = BootQuestion::kNotAsked;
  const BootPolicy* boot_policy = nullptr;    // null: the boot is described, not judged
  const ImaPolicyRule* ima_policy = nullptr;  // null: not judged
  ImaPolicyGrace ima_policy_grace = ImaPolicyGrace::kNone;
  ViolationRules violations = {};
  std::chrono::sys_days today = {};       // for values that are accepted until a day
  SignatureMemory* signatures = nullptr;  // of golden keys, verified before; null: none
  PodExpectation pods = {};               // as LogExpectation has it
  PcrValues boot_pcrs = {};  // of this boot, as judged before: a change asks for the boot log again
};

// What a replayed log says of itself.
struct LogFacts {
  std::uint64_t entries = 0;  // all that came, proven or not
  std::uint64_t proven = 0;
  std::uint64_t tail = 0;        // came after the quote was taken: unproven
  std::uint64_t violations = 0;  // records of files that the kernel could not measure
  std::map<std::string, std::uint64_t, std::less<>> templates = {};  // as LogCounts
  std::optional<bool> boot_aggregate_ok = {};
  AcceptedEntries accepted = {};
  std::vector<MonitoredFile> monitored = {};
};

// The result of one attempt. The absence of a part says that it could not be proven.
struct Appraisal {
  std::optional<TpmClock> clock = {};  // the quote is authentic
  std::optional<PcrSelection> selection = {};
  std::optional<HashAlg> bank = {};
  Continuity continuity = Continuity::kSameBoot;
  std::optional<LogFacts> log = {};        // the log is proven
  std::optional<LogCheckpoint> next = {};  // likewise: where the next attempt goes on
  std::optional<BootFacts> boot = {};      // the boot was asked for, and the quote is authentic
  FaultList faults = {};

  // The node has rebooted while it was asked for the rest of an older boot's log, or its boot PCRs
  // have changed, or a further boot_aggregate cannot be told, while it was not asked for its boot:
  // nothing is judged and nothing is wrong; ask again, for the boot, and after a reboot from the first
  // entry.
  bool ask_again() const { return continuity != Continuity::kSameBoot && !log && faults.empty(); }
};

// Verifies the quote, checks it against the last one, replays the log, and judges every proven
// entry. Faults of the quote or of the log's form end the attempt, since nothing after them is
// proven; faults of entries are all collected.
//
// Faults: those of verify_quote(), replay_ima_log(), parse_boot_log(), replay_boot_log() and
// appraise(); kQuoteSelectionMismatch when the quote covers other PCRs than `selection`;
// those of judge_continuity() against `last_clock`.
//
// Total, and pure but for `signatures`, which changes no answer: no I/O, no clock, no globals; safe from
// any thread.
Appraisal attest(const Evidence& evidence, const Expectation& expected);

}  // namespace assay
