#include "core/attest.h"

#include <algorithm>

#include "core/boot/boot_log.h"

namespace assay {
namespace {

Status check_selection(const QuotedPcrs& quoted, const std::optional<PcrSelection>& asked) {
  if (asked && *asked != quoted.selection()) {
    return fail(FaultId::kQuoteSelectionMismatch, "the quote covers other PCRs than asked for");
  }
  return {};
}

bool covers_boot(const QuotedPcrs& quoted) {
  return std::ranges::any_of(quoted.values(),
                             [](const auto& pcr) { return pcr.first.index.value() < 10; });
}

// A quote over no boot PCR can neither prove a firmware log nor contradict it: only its form counts.
Status judge_boot(const Evidence& evidence, const Expectation& expected, const QuotedPcrs& quoted,
                  Appraisal& out) {
  std::optional<AttestedBootLog> attested;
  if (evidence.boot_log) {
    ASSAY_TRY(const UntrustedBootLog log, parse_boot_log(*evidence.boot_log));
    if (covers_boot(quoted)) {
      ASSAY_TRY(attested, replay_boot_log(log, quoted));
    }
  }
  if (expected.boot == BootQuestion::kAsked) {
    out.boot = describe_boot(quoted, attested ? &*attested : nullptr, evidence.command_line);
  }
  return {};
}

// Whether a register that only a boot extends holds another value than when this boot was judged.
bool boot_pcrs_changed(const PcrValues& judged, const QuotedPcrs& quoted) {
  return std::ranges::any_of(judged, [&](const auto& pcr) {
    const Digest* now = quoted.find(pcr.first);
    return now != nullptr && *now != pcr.second;
  });
}

Status run(const Evidence& evidence, const Expectation& expected, Appraisal& out) {
  ASSAY_TRY(const QuotedPcrs quoted,
            verify_quote(evidence.quote, expected.ak, expected.nonce, expected.policy));
  out.clock = quoted.clock();
  out.selection = quoted.selection();
  out.bank = quoted.primary_bank();
  ASSAY_OK(check_selection(quoted, expected.selection));
  ASSAY_TRY(out.continuity, judge_continuity(expected.last_clock, quoted.clock()));
  if (out.continuity == Continuity::kRebooted && expected.from.entries > 0) return {};
  if (out.continuity == Continuity::kSameBoot && expected.boot == BootQuestion::kNotAsked &&
      boot_pcrs_changed(expected.boot_pcrs, quoted)) {
    out.continuity = Continuity::kBootPcrsChanged;
    return {};
  }

  const LogExpectation expected_of_log{.golden = expected.golden,
                                       .ima_policy = expected.ima_policy,
                                       .violations = expected.violations,
                                       .grace = expected.ima_policy_grace,
                                       .ima_policy_before = expected.from.ima_policy,
                                       .today = expected.today,
                                       .signatures = expected.signatures,
                                       .pods = expected.pods};
  const LogAppraiser appraiser(quoted, expected_of_log);
  ASSAY_TRY(const AttestedImaLog log, replay_ima_log(evidence.ima_log, quoted, expected.from,
                                                     {.form = evidence.ima_log_form,
                                                      .start = expected.log_start,
                                                      .allow_sha1 = expected.policy.allow_sha1},
                                                     &appraiser));
  // Banks that were asked for beside the primary one are there for boot_aggregate: firmware may leave
  // them empty, and a SHA-1 one proves too little.
  ASSAY_OK(judge_boot(evidence, expected,
                      expected.selection ? quoted.only(quoted.primary_bank()) : quoted, out));
  LogAppraisal judged = appraiser.appraise(log);
  if (judged.boot_aggregate_unproven && expected.from.entries > 0 &&
      expected.boot == BootQuestion::kNotAsked) {
    out.continuity = Continuity::kKernelReplaced;
    return {};
  }
  out.log = LogFacts{.entries = log.size() + log.tail_entries(),
                     .proven = log.size(),
                     .tail = log.tail_entries(),
                     .violations = log.counts().violations,
                     .templates = log.counts().templates,
                     .boot_aggregate_ok = judged.boot_aggregate_ok,
                     .accepted = std::move(judged.accepted),
                     .monitored = std::move(judged.monitored)};
  out.next = log.next();
  out.next->ima_policy = judged.ima_policy;
  out.faults = std::move(judged.faults);
  if (out.boot && expected.boot_policy != nullptr) {
    for (Fault& fault : appraise_boot(*out.boot, *expected.boot_policy, expected.today)) {
      out.faults.add(std::move(fault));
    }
  }
  return {};
}

}  // namespace

Appraisal attest(const Evidence& evidence, const Expectation& expected) {
  Appraisal out;
  if (Status status = run(evidence, expected, out); !status) {
    out.faults.add(std::move(status).error());
  }
  return out;
}

}  // namespace assay
