#include "core/attest.h"

#include <algorithm>

#include "core/boot/boot_log.h"

namespace assay {
namespace {

// TPM 2.0 Library, Part 1, 36.2–36.6: resetCount counts TPM resets, restartCount the restarts and
// resumes since then. Both are compared as differences modulo 2^32, because a TPM may add a constant.
Result<Continuity> check_clock(const std::optional<TpmClock>& last, const TpmClock& now) {
  if (!last) return Continuity::kSameBoot;
  const auto resets = static_cast<std::int32_t>(now.reset_count - last->reset_count);
  if (resets < 0) {
    return fail(FaultId::kQuoteResetBackwards, "by " + std::to_string(-std::int64_t{resets}));
  }
  if (resets > 0) return Continuity::kRebooted;
  const auto restarts = static_cast<std::int32_t>(now.restart_count - last->restart_count);
  if (restarts < 0) return fail(FaultId::kQuoteClockBackwards, "restart count went back");
  if (restarts == 0 && now.clock_ms < last->clock_ms) {
    return fail(FaultId::kQuoteClockBackwards,
                "clock went back by " + std::to_string(last->clock_ms - now.clock_ms) + " ms");
  }
  return Continuity::kSameBoot;
}

Status check_selection(const QuotedPcrs& quoted, const std::optional<PcrSelection>& asked) {
  if (asked && *asked != quoted.selection()) {
    return fail(FaultId::kQuoteSelectionMismatch, "the quote covers other PCRs than asked for");
  }
  return {};
}

// Names and counts over every record, the unproven ones too: what the log claims of itself.
void count_records(ByteView log, LogFacts& facts) {
  for (ImaLogReader reader(log); !reader.at_end();) {
    const Result<ImaEntry> entry = reader.next();
    ASSAY_CHECK(entry.has_value());  // replay has parsed them all
    ++facts.entries;
    if (entry->violation) ++facts.violations;
    ++facts.templates[std::string(entry->template_name)];
  }
}

bool covers_boot(const QuotedPcrs& quoted) {
  return std::ranges::any_of(quoted.values(),
                             [](const auto& pcr) { return pcr.first.index.value() < 10; });
}

// A quote over no boot PCR can neither prove a firmware log nor contradict it: only its form counts.
Status check_boot_log(const std::optional<ByteView>& bytes, const QuotedPcrs& quoted) {
  if (!bytes) return {};
  ASSAY_TRY(const UntrustedBootLog log, parse_boot_log(*bytes));
  if (!covers_boot(quoted)) return {};
  ASSAY_TRY(const AttestedBootLog attested, replay_boot_log(log, quoted));
  (void)attested;
  return {};
}

Status run(const Evidence& evidence, const Expectation& expected, Appraisal& out) {
  ASSAY_TRY(const QuotedPcrs quoted,
            verify_quote(evidence.quote, expected.ak, expected.nonce, expected.policy));
  out.clock = quoted.clock();
  out.selection = quoted.selection();
  out.bank = quoted.primary_bank();
  ASSAY_OK(check_selection(quoted, expected.selection));
  ASSAY_TRY(out.continuity, check_clock(expected.last_clock, quoted.clock()));
  if (out.continuity == Continuity::kRebooted && expected.from.entries > 0) return {};

  ASSAY_TRY(const AttestedImaLog log, replay_ima_log(evidence.ima_log, quoted, expected.from));
  ASSAY_OK(check_boot_log(evidence.boot_log, quoted));
  LogAppraisal judged = appraise(log, quoted, expected.golden);
  LogFacts facts{.proven = log.size(),
                 .tail = log.tail_entries(),
                 .boot_aggregate_ok = judged.boot_aggregate_ok};
  count_records(evidence.ima_log, facts);
  out.log = std::move(facts);
  out.next = log.next();
  out.faults = std::move(judged.faults);
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
