#include "cli/report.h"

#include <algorithm>
#include <vector>

#include "cli/fault_row.h"
#include "cli/table.h"
#include "core/verdict.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::pair<std::string_view, std::string>>;

std::string_view verdict_name(BundleVerdict verdict) {
  switch (verdict) {
    case BundleVerdict::kTrusted:
      return "trusted";
    case BundleVerdict::kCompromised:
      return "compromised";
    case BundleVerdict::kInvalid:
      return "invalid";
  }
  return "invalid";
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// What is known of the answer to our nonce: an authentic quote answers it; of another that is all
// that may be said.
std::optional<bool> nonce_ok(const Appraisal& appraisal) {
  if (appraisal.clock) return true;
  const bool mismatch = std::ranges::any_of(appraisal.faults.listed(), [](const Fault& f) {
    return f.id == FaultId::kQuoteNonceMismatch;
  });
  return mismatch ? std::optional(false) : std::nullopt;
}

// The quoted PCRs of the bank that the log was replayed in.
std::vector<std::uint32_t> quoted_pcrs(const Appraisal& appraisal) {
  std::vector<std::uint32_t> out;
  if (!appraisal.selection || !appraisal.bank) return out;
  for (const PcrSlot& slot : *appraisal.selection) {
    if (slot.bank == *appraisal.bank) out.push_back(slot.index.value());
  }
  return out;
}

Json quote_json(const Appraisal& appraisal) {
  const auto& clock = appraisal.clock;
  Json out;
  out["authentic"] = clock.has_value();
  out["nonce_ok"] = or_null(nonce_ok(appraisal));
  out["bank"] = appraisal.bank ? Json(hash_name(*appraisal.bank)) : Json(nullptr);
  out["pcrs"] = appraisal.selection ? Json(quoted_pcrs(appraisal)) : Json(nullptr);
  out["reset_count"] = clock ? Json(clock->reset_count) : Json(nullptr);
  out["restart_count"] = clock ? Json(clock->restart_count) : Json(nullptr);
  out["clock_ms"] = clock ? Json(clock->clock_ms) : Json(nullptr);
  out["safe"] = clock ? Json(clock->safe) : Json(nullptr);
  return out;
}

Json log_json(const Appraisal& appraisal) {
  const auto& log = appraisal.log;
  Json out;
  out["entries"] = log ? Json(log->entries) : Json(nullptr);
  out["proven"] = log ? Json(log->proven) : Json(nullptr);
  out["tail"] = log ? Json(log->tail) : Json(nullptr);
  out["violations"] = log ? Json(log->violations) : Json(nullptr);
  out["pcr"] = kImaPcr.value();
  out["templates"] = log ? Json(log->templates) : Json(nullptr);
  out["boot_aggregate_ok"] = log ? or_null(log->boot_aggregate_ok) : Json(nullptr);
  return out;
}

Json accepted_json(const AcceptedEntries& accepted) {
  Json out;
  out["boot_aggregate"] = accepted.boot_aggregate;
  out["ima_policy"] = accepted.ima_policy;
  out["digest"] = accepted.digest;
  out["signers"] = Json::array();
  for (const auto& signer : accepted.signers) {
    out["signers"].push_back(
        {{"set", signer.set}, {"key", format_digest(signer.key)}, {"entries", signer.entries}});
  }
  return out;
}

// "0-10,14"
std::string format_ranges(const std::vector<std::uint32_t>& ascending) {
  std::string out;
  for (std::size_t i = 0; i < ascending.size();) {
    std::size_t last = i;
    while (last + 1 < ascending.size() && ascending[last + 1] == ascending[last] + 1) ++last;
    if (!out.empty()) out += ',';
    out += std::to_string(ascending[i]);
    if (last > i) out += '-' + std::to_string(ascending[last]);
    i = last + 1;
  }
  return out;
}

std::string quote_line(const Appraisal& appraisal) {
  if (!appraisal.clock || !appraisal.bank) return "not proven";
  return "authentic, answers the nonce; " + std::string(hash_name(*appraisal.bank)) + " PCRs " +
         format_ranges(quoted_pcrs(appraisal)) + "; resets " +
         std::to_string(appraisal.clock->reset_count) + ", restarts " +
         std::to_string(appraisal.clock->restart_count) + ", clock " +
         std::to_string(appraisal.clock->clock_ms) + " ms" +
         (appraisal.clock->safe ? "" : " (not safe)");
}

std::string log_line(const std::optional<LogFacts>& log) {
  if (!log) return "not proven";
  std::string out = std::to_string(log->proven) + " of " + std::to_string(log->entries) +
                    " entries proven, " + std::to_string(log->tail) + " after the quote, " +
                    std::to_string(log->violations) + " violations";
  for (const auto& [name, count] : log->templates) out += "; " + name + " " + std::to_string(count);
  return out;
}

// By which rule entries were accepted: one line each for keys that signed files.
void add_accepted(const AcceptedEntries& accepted, Rows& out) {
  out.emplace_back("accepted", std::to_string(accepted.digest) + " by digest, " +
                                   std::to_string(accepted.ima_policy) + " as IMA policy, " +
                                   std::to_string(accepted.boot_aggregate) + " as boot aggregate");
  for (const auto& signer : accepted.signers) {
    out.emplace_back("", std::to_string(signer.entries) + " signed by " +
                             format_digest(signer.key) + " of " + signer.set);
  }
}

std::string boot_line(const std::optional<LogFacts>& log) {
  if (!log || !log->boot_aggregate_ok) return "boot aggregate not judged";
  return *log->boot_aggregate_ok ? "boot aggregate as quoted" : "boot aggregate differs";
}

std::vector<FaultRow> rows_of(const FaultList& faults) {
  std::vector<FaultRow> out;
  for (const Fault& fault : faults.listed()) out.push_back(row_of(fault));
  return out;
}

}  // namespace

BundleVerdict bundle_verdict(const Appraisal& appraisal) {
  for (const FaultClass bad : {FaultClass::kInvalid, FaultClass::kTampering,
                               FaultClass::kNoEvidence, FaultClass::kOperation}) {
    if (appraisal.faults.has(bad)) return BundleVerdict::kInvalid;
  }
  if (!appraisal.log) return BundleVerdict::kInvalid;
  return is_guilty(appraisal) ? BundleVerdict::kCompromised : BundleVerdict::kTrusted;
}

Exit exit_for(BundleVerdict verdict) {
  switch (verdict) {
    case BundleVerdict::kTrusted:
      return Exit::kOk;
    case BundleVerdict::kCompromised:
      return Exit::kRefused;
    case BundleVerdict::kInvalid:
      return Exit::kInvalid;
  }
  return Exit::kInvalid;
}

nlohmann::ordered_json report_json(const Appraisal& appraisal) {
  Json out;
  out["verdict"] = verdict_name(bundle_verdict(appraisal));
  out["quote"] = quote_json(appraisal);
  out["log"] = log_json(appraisal);
  out["accepted"] = appraisal.log ? accepted_json(appraisal.log->accepted) : Json(nullptr);
  out["faults"] = Json::array();
  for (const FaultRow& row : rows_of(appraisal.faults)) out["faults"].push_back(to_json(row));
  out["faults_total"] = appraisal.faults.total();
  return out;
}

std::string report_text(const Appraisal& appraisal) {
  Rows rows = {{"verdict", std::string(verdict_name(bundle_verdict(appraisal)))},
               {"quote", quote_line(appraisal)},
               {"log", log_line(appraisal.log)},
               {"boot", boot_line(appraisal.log)}};
  if (appraisal.log) add_accepted(appraisal.log->accepted, rows);
  rows.emplace_back("faults", std::to_string(appraisal.faults.total()));
  std::string out = format_fields(rows);
  if (appraisal.faults.empty()) return out;
  return out + '\n' + format_faults(rows_of(appraisal.faults), appraisal.faults.total());
}

}  // namespace assay
