#include "core/attest.h"

#include <doctest/doctest.h>

#include "core/verdict.h"
#include "tests/support/evidence_case.h"
#include "tests/support/fake_tpm.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

const Nonce kNonce = nonce_of(1);

// A node with a TPM and a log, and what a verifier makes of it.
struct Node {
  FakeTpm tpm;
  ImaBuilder log;

  Node() { log.boot_aggregate(tpm.pcrs).file("/bin/good", digest_of("good")); }

  Appraisal attest_from(const LogCheckpoint& from, const std::optional<TpmClock>& last = {}) {
    tpm.set(log.pcrs());
    const UntrustedQuote quote = tpm.quote(kNonce);
    const AkPublic ak = tpm.ak();
    return attest({.quote = quote, .ima_log = ByteView(log.bytes()).subspan(from.bytes)},
                  {.ak = ak,
                   .nonce = kNonce,
                   .selection = default_selection(HashAlg::kSha256),
                   .from = from,
                   .last_clock = last,
                   .golden = judge_files ? &golden : nullptr});
  }

  bool judge_files = true;

  GoldenSnapshot golden = [] {
    GoldenSnapshot::Builder builder;
    const auto set = builder.add_set("host");
    builder.add(set, digest_of("good"));
    return std::move(builder).build();
  }();
};

std::vector<std::string> names(const FaultList& faults) {
  std::vector<std::string> out;
  for (const Fault& fault : faults.listed()) out.emplace_back(fault_name(fault.id));
  return out;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("attest: an entry whose digest cannot be told is a fault for its own reason") {
  struct Row {
    std::string name;
    std::vector<Bytes> fields;
    std::string fault;
    bool without_golden;  // whether it is one when files are not judged, too
  };
  const Bytes unknown_hash = {'s', 'm', '3', ':', 0, 1, 2};
  const Row rows[] = {
      {"nobody-knows", {{1}, n_ng("/x")}, "ima.unknown_template", false},
      {"sig|n-ng", {{1}, n_ng("/x")}, "ima.unknown_template", false},
      {"ima-ng", {unknown_hash, n_ng("/x")}, "ima.unsupported_digest", false},
      {"sig|n-ng|d-ng",
       {d_ng(digest_of("malware")), n_ng("/x"), d_ng(digest_of("good"))},
       "ima.template_contradicted",
       true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Node node;
    node.log.record(kImaPcr, row.name, row.fields);
    CHECK(names(node.attest_from({}).faults) == Names{row.fault});
    node.judge_files = false;
    CHECK(names(node.attest_from({}).faults) == (row.without_golden ? Names{row.fault} : Names{}));
  }
}

TEST_CASE("attest: golden files and a right boot_aggregate leave nothing to complain of") {
  Node node;
  const Appraisal got = node.attest_from({});
  CHECK(names(got.faults) == Names{});
  REQUIRE(got.log.has_value());
  CHECK(got.log->entries == 2);
  CHECK(got.log->proven == 2);
  CHECK(got.log->boot_aggregate_ok == true);
  CHECK(got.log->templates == decltype(LogFacts::templates){{"ima-ng", 2}});
  CHECK(got.next->entries == 2);
}

TEST_CASE("attest: every fault is listed in log order, with entry, path and digest") {
  Node node;
  node.log.file("/tmp/evil", digest_of("evil"))
      .violation("/var/log/x")
      .file("/bin/good", digest_of("good"));
  node.log.file("boot_aggregate", digest_of("forged"));
  const Appraisal got = node.attest_from({});
  CHECK(names(got.faults) ==
        Names{"ima.unknown_digest", "ima.violation", "boot.aggregate_mismatch"});
  CHECK(got.faults.listed()[0].entry == 2);
  CHECK(got.faults.listed()[0].path == "/tmp/evil");
  CHECK(got.faults.listed()[0].digest == digest_of("evil"));
  CHECK(got.log->violations == 1);
  CHECK(got.log->boot_aggregate_ok == false);
}

TEST_CASE("attest: faults are bounded, and counted beyond the bound") {
  Node node;
  for (int i = 0; i < 1500; ++i) node.log.file("/x", digest_of(std::to_string(i)));
  const Appraisal got = node.attest_from({});
  CHECK(got.faults.total() == 1500);
  CHECK(got.faults.listed().size() == FaultList::kMaxFaults);
}

TEST_CASE("attest: a digest that nobody understands is a fault, whatever its name") {
  Node node;
  Bytes sm3 = n_ng("sm3:");
  sm3.insert(sm3.end(), 32, 7);
  node.log.record(kImaPcr, "ima-ng", {sm3, n_ng("/bin/good")});
  CHECK(names(node.attest_from({}).faults) == Names{"ima.unsupported_digest"});
}

TEST_CASE("attest: an entry logged after the quote is neither trusted nor blamed") {
  Node node;
  node.tpm.set(node.log.pcrs());
  const UntrustedQuote quote = node.tpm.quote(kNonce);
  const AkPublic ak = node.tpm.ak();
  node.log.file("/tmp/evil", digest_of("evil"));
  const Appraisal got = attest({.quote = quote, .ima_log = node.log.bytes()},
                               {.ak = ak, .nonce = kNonce, .golden = &node.golden});
  CHECK(names(got.faults) == Names{});
  CHECK(got.log->tail == 1);
  CHECK(got.next->entries == 2);
}

TEST_CASE("attest: without golden sets only authenticity and replay are judged") {
  Node node;
  node.log.file("/tmp/evil", digest_of("evil")).violation("/x");
  node.tpm.set(node.log.pcrs());
  const UntrustedQuote quote = node.tpm.quote(kNonce);
  const AkPublic ak = node.tpm.ak();
  const Appraisal got =
      attest({.quote = quote, .ima_log = node.log.bytes()}, {.ak = ak, .nonce = kNonce});
  CHECK(names(got.faults) == Names{});
  CHECK(got.log->violations == 1);
}

TEST_CASE("attest: a quote over other PCRs than asked for proves nothing") {
  Node node;
  node.tpm.pcrs.emplace(PcrSlot{HashAlg::kSha256, PcrIndex::of<16>()}, digest_of("x"));
  const Appraisal got = node.attest_from({});
  CHECK(names(got.faults) == Names{"quote.selection_mismatch"});
  CHECK_FALSE(got.log.has_value());
}

TEST_CASE("attest: a firmware log is held against the boot PCRs that the quote covers, if any") {
  const EvidenceCase evidence = load_case("a-clean-ovmf");
  FakeTpm tpm;
  ImaBuilder log;
  log.boot_aggregate(tpm.pcrs);
  log.file("/bin/good", digest_of("good"));
  tpm.set(log.pcrs());
  const AkPublic ak = tpm.ak();
  const auto faults = [&](ByteView boot_log) {
    const UntrustedQuote quote = tpm.quote(kNonce);
    return names(attest({.quote = quote, .ima_log = log.bytes(), .boot_log = boot_log},
                        {.ak = ak, .nonce = kNonce})
                     .faults);
  };
  CHECK(faults(evidence.boot_log) == Names{"boot.pcr_mismatch"});
  tpm.pcrs = log.pcrs();
  CHECK(faults(evidence.boot_log) == Names{});
  CHECK(faults(ByteView(evidence.boot_log).first(100)) == Names{"boot.malformed"});
}

TEST_CASE("attest: within a boot only what is new is judged") {
  Node node;
  const Appraisal first = node.attest_from({});
  node.log.file("/tmp/evil", digest_of("evil"));
  node.tpm.clock.clock_ms += 30'000;
  const Appraisal second = node.attest_from(*first.next, first.clock);
  CHECK(names(second.faults) == Names{"ima.unknown_digest"});
  CHECK(second.faults.listed()[0].entry == 2);
  CHECK(second.log->proven == 1);
  node.tpm.clock.restart_count += 1;  // suspend and resume
  const Appraisal third = node.attest_from(*second.next, second.clock);
  CHECK(names(third.faults) == Names{});
  CHECK(third.continuity == Continuity::kSameBoot);
}

TEST_CASE("attest: a TPM reset begins a new log, which has to be asked for from its start") {
  Node before;
  const Appraisal first = before.attest_from({});
  Node after;
  after.tpm.clock = before.tpm.clock;
  after.tpm.clock.reset_count += 1;
  after.tpm.clock.clock_ms = 10;  // it may step back over a reset
  after.tpm.set(after.log.pcrs());
  const UntrustedQuote quote = after.tpm.quote(kNonce);
  const AkPublic ak = after.tpm.ak();
  const Appraisal rest = attest({.quote = quote, .ima_log = {}}, {.ak = ak,
                                                                  .nonce = kNonce,
                                                                  .from = *first.next,
                                                                  .last_clock = first.clock,
                                                                  .golden = &after.golden});
  CHECK(rest.ask_again());
  const Appraisal whole = after.attest_from({}, first.clock);
  CHECK_FALSE(whole.ask_again());
  CHECK(whole.continuity == Continuity::kRebooted);
  CHECK(names(whole.faults) == Names{});
  CHECK(whole.log->proven == 2);
}

TEST_CASE("attest: counters that go back are tampering") {
  Node node;
  const TpmClock last = node.tpm.clock;
  node.tpm.clock = last;
  node.tpm.clock.clock_ms -= 1;
  CHECK(names(node.attest_from({}, last).faults) == Names{"quote.clock_backwards"});
  node.tpm.clock = last;
  node.tpm.clock.reset_count -= 1;
  CHECK(names(node.attest_from({}, last).faults) == Names{"quote.reset_backwards"});
  TpmClock resumed = last;
  resumed.restart_count = 3;
  node.tpm.clock = last;
  CHECK(names(node.attest_from({}, resumed).faults) == Names{"quote.clock_backwards"});
  TpmClock at_wrap = last;
  at_wrap.reset_count = 0xffffffff;
  node.tpm.clock.reset_count = 0;
  CHECK(node.attest_from({}, at_wrap).continuity == Continuity::kRebooted);
}

TEST_CASE("attest: evidence of real machines is judged as expected.json says") {
  for (const std::string& name : all_cases()) {
    CAPTURE(name);
    const EvidenceCase evidence = load_case(name);
    const UntrustedQuote quote = evidence.quote();
    const auto ak = parse_ak_public(evidence.ak_public);
    REQUIRE(ak.has_value());
    const Appraisal got =
        attest({.quote = quote, .ima_log = evidence.ima_log, .boot_log = evidence.boot_log},
               {.ak = *ak, .nonce = evidence.nonce});
    // Cases about EK certificates are sound evidence otherwise: enrolment judges those.
    const bool ek_case = name.starts_with("p-16") || name.starts_with("p-18");
    const bool accept = ek_case || evidence.expected["verdict"]["must"] == "accept";
    CHECK_MESSAGE(got.faults.empty() == accept,
                  (got.faults.empty() ? "" : format_fault(got.faults.listed()[0])));
    if (!accept) continue;
    REQUIRE(got.log.has_value());
    CHECK(got.log->entries == evidence.expected["log"]["entries"].get<std::uint64_t>());
    CHECK(got.log->violations ==
          evidence.expected["log"]["violation_entries"].get<std::uint64_t>());
    CHECK(got.log->boot_aggregate_ok == true);
  }
}

TEST_CASE("attest: each forgery made of real evidence is refused for its own reason") {
  const std::pair<std::string, std::string> rows[] = {
      {"p-01-entry-removed", "ima.pcr_mismatch"},
      {"p-02-digest-changed-rehashed", "ima.pcr_mismatch"},
      {"p-05-truncated-mid-record", "ima.malformed"},
      {"p-07-other-nonce", "quote.nonce_mismatch"},
      {"p-08-signature-bit-flip", "quote.bad_signature"},
      {"p-27-template-renamed", "ima.malformed"},
      {"p-42-forged-entry-other-pcr", "ima.pcr_not_quoted"},
      {"p-51-quote-without-pcr10", "quote.ima_pcr_missing"},
      {"p-57-certify-as-quote", "quote.not_a_quote"},
      {"p-71-bios-event-text-changed", "boot.event_digest_mismatch"},
  };
  for (const auto& [name, want] : rows) {
    CAPTURE(name);
    const EvidenceCase evidence = load_case(name);
    const UntrustedQuote quote = evidence.quote();
    const AkPublic ak = parse_ak_public(evidence.ak_public).value();
    const Appraisal got =
        attest({.quote = quote, .ima_log = evidence.ima_log, .boot_log = evidence.boot_log},
               {.ak = ak, .nonce = evidence.nonce});
    CHECK(names(got.faults) == Names{want});
  }
}

namespace {

constexpr std::chrono::sys_days kToday = std::chrono::year(2026) / 11 / 24;

ImaPolicyRule policy_rule(Enforcement enforce = Enforcement::kFail) {
  return {.accept = {{.digest = digest_of("policy"), .name = "exec.policy", .until = kToday}},
          .within_entries = 3,
          .enforce = enforce};
}

Appraisal attest_with(Node& node, const ImaPolicyRule& rule, const LogCheckpoint& from = {},
                      std::chrono::sys_days today = kToday,
                      ImaPolicyGrace grace = ImaPolicyGrace::kNone) {
  node.tpm.set(node.log.pcrs());
  const UntrustedQuote quote = node.tpm.quote(kNonce);
  const AkPublic ak = node.tpm.ak();
  return attest({.quote = quote, .ima_log = ByteView(node.log.bytes()).subspan(from.bytes)},
                {.ak = ak,
                 .nonce = kNonce,
                 .from = from,
                 .golden = &node.golden,
                 .ima_policy = &rule,
                 .ima_policy_grace = grace,
                 .today = today});
}

}  // namespace

TEST_CASE(
    "attest: the golden IMA policy has to be loaded, early, and its file needs no other set") {
  Node node;
  CHECK(names(attest_with(node, policy_rule()).faults) == Names{"ima.policy_missing"});
  node.log.file("/etc/ima/ima-policy", digest_of("policy"));
  const Appraisal early = attest_with(node, policy_rule());
  CHECK(names(early.faults) == Names{});
  CHECK(early.next->ima_policy == ImaPolicyState::kLoaded);
  CHECK(names(attest_with(node, policy_rule(), {}, kToday + std::chrono::days(1)).faults) ==
        Names{"ima.unknown_digest", "ima.policy_missing"});

  // What an earlier part of the boot has shown counts.
  node.log.file("/bin/good", digest_of("good"));
  CHECK(names(attest_with(node, policy_rule(), *early.next).faults) == Names{});
  node.log.file("/root/copy", digest_of("policy"));
  const Appraisal again = attest_with(node, policy_rule(), *early.next);
  CHECK(names(again.faults) == Names{"ima.policy_repeated"});
  CHECK(again.faults.worst() == Severity::kWarning);
}

TEST_CASE("attest: a golden IMA policy is loaded, too, where a golden set has its file") {
  Node node;
  GoldenSnapshot::Builder builder;
  const auto set = builder.add_set("host");
  for (const char* name : {"good", "policy"}) builder.add(set, digest_of(name));
  node.golden = std::move(builder).build();
  node.log.file("/etc/ima/ima-policy", digest_of("policy"));
  const Appraisal got = attest_with(node, policy_rule());
  CHECK(names(got.faults) == Names{});
  CHECK(got.next->ima_policy == ImaPolicyState::kLoaded);
  CHECK(got.log->accepted.ima_policy == 1);
  CHECK(got.log->accepted.digest == 1);
}

TEST_CASE("attest: a boot's first evidence may be without its IMA policy, and is told of once") {
  Node node;
  const ImaPolicyRule rule = policy_rule();
  const auto next = [&](const LogCheckpoint& from) {
    return attest_with(node, rule, from, kToday, ImaPolicyGrace::kFirstEvidence);
  };
  const Appraisal first = next({});
  CHECK(names(first.faults) == Names{});
  CHECK(first.next->ima_policy == ImaPolicyState::kAwaited);
  const Appraisal second = next(*first.next);  // nothing new: it stays away
  CHECK(names(second.faults) == Names{"ima.policy_missing"});
  CHECK(names(next(*second.next).faults) == Names{});
  node.log.file("/bin/good", digest_of("good"));
  CHECK(names(next(*first.next).faults) == Names{"ima.policy_missing"});
  node.log.file("/etc/ima/ima-policy", digest_of("policy"));
  CHECK(names(next(*second.next).faults) == Names{"ima.policy_late"});
  CHECK(names(next({}).faults) == Names{"ima.policy_late"});
  Node slow;
  slow.log.file("/bin/good", digest_of("good"));
  CHECK(names(attest_with(slow, rule, {}, kToday, ImaPolicyGrace::kFirstEvidence).faults) ==
        Names{"ima.policy_missing"});  // so many entries are enough
}

TEST_CASE("attest: a rule that comes in the middle of a boot judges the next one") {
  Node node;
  const Appraisal without = node.attest_from({});
  CHECK(without.next->ima_policy == ImaPolicyState::kNotJudged);
  node.log.file("/bin/good", digest_of("good"));
  const Appraisal with = attest_with(node, policy_rule(), *without.next);
  CHECK(names(with.faults) == Names{});
  CHECK(with.next->ima_policy == ImaPolicyState::kNotJudged);
}

TEST_CASE("attest: an IMA policy that is loaded late is named, and a rule that warns only warns") {
  Node node;
  node.log.file("/bin/good", digest_of("good")).file("/etc/ima/ima-policy", digest_of("policy"));
  CHECK(names(attest_with(node, policy_rule()).faults) == Names{"ima.policy_late"});
  const Appraisal warned = attest_with(node, policy_rule(Enforcement::kWarn));
  CHECK(names(warned.faults) == Names{"ima.policy_late"});
  CHECK(warned.faults.worst() == Severity::kWarning);
  CHECK_FALSE(is_guilty(warned));
  Node without;
  CHECK_FALSE(is_guilty(attest_with(without, policy_rule(Enforcement::kWarn))));
  CHECK(is_guilty(attest_with(without, policy_rule())));
}

TEST_CASE("attest: a boot's log begins with its boot_aggregate") {
  Node node;
  node.log = ImaBuilder();
  node.log.file("/bin/good", digest_of("good"));
  const Appraisal got = node.attest_from({});
  CHECK(names(got.faults) == Names{"boot.aggregate_missing"});
  CHECK(got.faults.listed()[0].entry == 0);
}

TEST_CASE("attest: a log that kexec carried over goes on; one that begins anew is tampering") {
  Node node;
  const Appraisal first = node.attest_from({});
  node.log.boot_aggregate(node.tpm.pcrs).file("/bin/good", digest_of("good"));
  CHECK(names(node.attest_from(*first.next, first.clock).faults) == Names{});
  CHECK(names(node.attest_from({}, first.clock).faults) == Names{});

  // The TPM goes on, and the new kernel's log knows nothing of what was before.
  const PcrValues pcrs = node.log.pcrs();
  ImaBuilder anew;
  anew.boot_aggregate(node.tpm.pcrs);
  const UntrustedQuote quote = node.tpm.quote(kNonce);
  const AkPublic ak = node.tpm.ak();
  const Appraisal lost =
      attest({.quote = quote, .ima_log = ByteView()},
             {.ak = ak, .nonce = kNonce, .from = *first.next, .last_clock = first.clock});
  CHECK(names(lost.faults) == Names{"ima.log_truncated"});
  const Appraisal restarted =
      attest({.quote = quote, .ima_log = anew.bytes()},
             {.ak = ak, .nonce = kNonce, .from = *first.next, .last_clock = first.clock});
  CHECK(names(restarted.faults) == Names{"ima.pcr_mismatch"});
}

TEST_CASE("attest: a boot PCR that moves within a boot asks for the boot again") {
  Node node;
  node.tpm.set(node.log.pcrs());
  const AkPublic ak = node.tpm.ak();
  const auto judged = [&](BootQuestion question, const PcrValues& boot_pcrs) {
    const UntrustedQuote quote = node.tpm.quote(kNonce);
    return attest({.quote = quote, .ima_log = node.log.bytes()}, {.ak = ak,
                                                                  .nonce = kNonce,
                                                                  .golden = &node.golden,
                                                                  .boot = question,
                                                                  .boot_pcrs = boot_pcrs});
  };
  const Appraisal first = judged(BootQuestion::kAsked, {});
  REQUIRE(first.boot.has_value());
  CHECK_FALSE(first.boot->has_log);
  CHECK_FALSE(judged(BootQuestion::kNotAsked, first.boot->pcrs).ask_again());
  node.tpm.pcrs.insert_or_assign(PcrSlot{HashAlg::kSha256, PcrIndex::of<4>()}, digest_of("moved"));
  const Appraisal moved = judged(BootQuestion::kNotAsked, first.boot->pcrs);
  CHECK(moved.ask_again());
  CHECK(moved.continuity == Continuity::kBootPcrsChanged);
  CHECK_FALSE(judged(BootQuestion::kAsked, first.boot->pcrs).ask_again());
}

TEST_CASE("attest: a boot policy is judged where the boot is asked for") {
  Node node;
  node.tpm.set(node.log.pcrs());
  const AkPublic ak = node.tpm.ak();
  const UntrustedQuote quote = node.tpm.quote(kNonce);
  BootPolicy policy;
  policy.pcrs.emplace(PcrIndex::of<0>(), AcceptRule{});
  policy.secure_boot = SecureBootRule{};
  const auto faults = [&](BootQuestion question) {
    return names(attest({.quote = quote, .ima_log = node.log.bytes()}, {.ak = ak,
                                                                        .nonce = kNonce,
                                                                        .golden = &node.golden,
                                                                        .boot = question,
                                                                        .boot_policy = &policy})
                     .faults);
  };
  CHECK(faults(BootQuestion::kAsked) == Names{"boot.pcr_not_accepted", "boot.log_missing"});
  CHECK(faults(BootQuestion::kNotAsked) == Names{});
}
