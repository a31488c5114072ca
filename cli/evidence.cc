#include "cli/evidence.h"

#include <cstdio>

#include "cli/bundle.h"
#include "cli/clock.h"
#include "cli/evidence_log.h"
#include "cli/fault_row.h"
#include "cli/golden_files.h"
#include "cli/options.h"
#include "cli/policy.h"
#include "cli/report.h"

namespace assay {
namespace {

struct Judgement {
  const Policy& policy;
  const GoldenSnapshot* golden;  // null: none was given
};

Result<Appraisal> appraise_bundle(const std::string& dir, const Judgement& by) {
  ASSAY_TRY(const auto bundle, load_bundle(dir));
  if (!bundle) {
    Appraisal out;
    for (const Fault& fault : bundle.error()) out.faults.add(fault);
    return out;
  }
  ASSAY_TRY(const ByteView ima_log, bundle->ima_log.view());
  const Evidence evidence{
      .quote = bundle->quote,
      .ima_log = ima_log,
      .ima_log_form = guess_ima_log_form(ima_log),
      .boot_log = bundle->boot_log ? std::optional<ByteView>(*bundle->boot_log) : std::nullopt};
  const NodeClass& node_class = by.policy.class_of("");
  const bool judge_boot = bundle->boot_log || node_class.boot.judges();
  return attest(evidence, {.ak = bundle->ak,
                           .nonce = bundle->nonce,
                           .policy = {.allow_sha1 = by.policy.allow_sha1},
                           .golden = by.golden,
                           .boot = judge_boot ? BootQuestion::kAsked : BootQuestion::kNotAsked,
                           .boot_policy = &node_class.boot,
                           .ima_policy = node_class.ima_policy ? &*node_class.ima_policy : nullptr,
                           .violations = node_class.violations,
                           .today = today()});
}

}  // namespace

EvidenceCommands::EvidenceCommands(CLI::App& app, Action& chosen) {
  CLI::App* noun = app.add_subcommand("evidence", "judge recorded evidence, without a verifier");
  noun->require_subcommand(1);
  add_verify(*noun, chosen);
  add_log(*noun, chosen);
}

void EvidenceCommands::add_verify(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("verify", "judge one evidence bundle");
  verb->add_option("BUNDLE", bundle_, "directory with quote.attest, quote.signature, ak.pub, …")
      ->required();
  verb->add_option("--golden", golden_,
                   "golden set that the log is judged against; may be repeated")
      ->allow_extra_args(false);
  verb->add_option("--policy", policy_, "policy in YAML: its class that has every node counts");
  add_json_flag(*verb, format_);
  add_examples(*verb,
               "  assay evidence verify bundle/\n"
               "  assay evidence verify bundle/ --golden host.json --golden runtime.json --json\n"
               "\n"
               "Exit status: 0 trusted, 1 authentic with violations, 2 not authentic or not\n"
               "readable, 3 the question could not be put. Without --golden only authenticity and\n"
               "replay are judged.");
  verb->callback([this, &chosen] { chosen = [this] { return verify(); }; });
}

void EvidenceCommands::add_log(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("log", "show the entries of a measurement log in words");
  verb->add_option("LOG", log_, "a bundle, or a binary_runtime_measurements file")->required();
  add_json_flag(*verb, format_);
  add_examples(
      *verb,
      "  assay evidence log bundle/\n"
      "  assay evidence log /sys/kernel/security/ima/binary_runtime_measurements --json\n"
      "\n"
      "With --json one object a line. Nothing shown is proven: that is for evidence verify.\n"
      "Exit status: 0 shown, 2 a record cannot be read, 3 the file cannot.");
  verb->callback([this, &chosen] { chosen = [this] { return print_log(log_, format_); }; });
}

Exit EvidenceCommands::verify() const {
  const Result<Policy> policy = policy_.empty() ? Policy() : load_policy(policy_);
  if (!policy) return complain(policy.error());
  const Result<GoldenSnapshot> golden = load_golden(golden_);
  if (!golden) return complain(golden.error());
  const Result<Appraisal> appraisal =
      appraise_bundle(bundle_, {.policy = *policy, .golden = golden_.empty() ? nullptr : &*golden});
  if (!appraisal) return complain(appraisal.error());
  print(format_ == Format::kJson ? format_json(report_json(*appraisal)) : report_text(*appraisal));
  return exit_for(bundle_verdict(*appraisal));
}

}  // namespace assay
