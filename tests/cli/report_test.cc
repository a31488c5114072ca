#include "cli/report.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace assay;

namespace {

Appraisal proven() {
  Appraisal out;
  out.clock = TpmClock{.clock_ms = 12345, .reset_count = 1, .restart_count = 0, .safe = true};
  out.selection = PcrSelection{{HashAlg::kSha256, PcrIndex::of<0>()},
                               {HashAlg::kSha256, PcrIndex::of<1>()},
                               {HashAlg::kSha256, kImaPcr},
                               {HashAlg::kSha1, PcrIndex::of<5>()}};
  out.bank = HashAlg::kSha256;
  out.log = LogFacts{.entries = 81,
                     .proven = 80,
                     .tail = 1,
                     .violations = 2,
                     .templates = {{"ima-sig", 81}},
                     .boot_aggregate_ok = true,
                     .accepted = {.boot_aggregate = 1,
                                  .digest = 77,
                                  .signers = {{.set = "signed/vendor",
                                               .key = Digest::zero(HashAlg::kSha256),
                                               .entries = 2}}}};
  return out;
}

BundleVerdict verdict_with(FaultId id) {
  Appraisal appraisal = proven();
  appraisal.faults.add({.id = id});
  return bundle_verdict(appraisal);
}

constexpr FaultId kEveryFault[] = {
#define ASSAY_TEST_ID(id, name, fault_class, severity, meaning) FaultId::id,
    ASSAY_FAULTS(ASSAY_TEST_ID)
#undef ASSAY_TEST_ID
};

}  // namespace

TEST_CASE(
    "bundle_verdict: only violations leave evidence authentic, and warnings leave it trusted") {
  CHECK(bundle_verdict(proven()) == BundleVerdict::kTrusted);
  for (const FaultId id : kEveryFault) {
    CAPTURE(fault_name(id));
    const BundleVerdict as_violation = fault_severity(id) == Severity::kCritical
                                           ? BundleVerdict::kCompromised
                                           : BundleVerdict::kTrusted;
    CHECK(verdict_with(id) ==
          (fault_class(id) == FaultClass::kViolation ? as_violation : BundleVerdict::kInvalid));
  }
}

TEST_CASE("bundle_verdict: a log that is not proven is never trusted, faults or none") {
  Appraisal appraisal = proven();
  appraisal.log.reset();
  CHECK(bundle_verdict(appraisal) == BundleVerdict::kInvalid);
  appraisal.faults.add({.id = FaultId::kImaUnknownDigest});
  CHECK(bundle_verdict(appraisal) == BundleVerdict::kInvalid);
  CHECK(bundle_verdict(Appraisal{}) == BundleVerdict::kInvalid);
}

TEST_CASE("exit_for: statuses are the documented ones") {
  CHECK(static_cast<int>(exit_for(BundleVerdict::kTrusted)) == 0);
  CHECK(static_cast<int>(exit_for(BundleVerdict::kCompromised)) == 1);
  CHECK(static_cast<int>(exit_for(BundleVerdict::kInvalid)) == 2);
}

TEST_CASE("report_json: is exactly the documented object") {
  Appraisal appraisal = proven();
  appraisal.faults.add({.id = FaultId::kImaUnknownDigest,
                        .entry = 57,
                        .path = "/bin/x",
                        .digest = Digest::zero(HashAlg::kSha256),
                        .detail = "d"});
  CHECK(report_json(appraisal).dump() ==
        "{\"verdict\":\"compromised\","
        "\"quote\":{\"authentic\":true,\"nonce_ok\":true,\"bank\":\"sha256\",\"pcrs\":[0,1,10],"
        "\"reset_count\":1,\"restart_count\":0,\"clock_ms\":12345,\"safe\":true},"
        "\"log\":{\"entries\":81,\"proven\":80,\"tail\":1,\"violations\":2,\"pcr\":10,"
        "\"templates\":{\"ima-sig\":81},\"boot_aggregate_ok\":true},"
        "\"accepted\":{\"boot_aggregate\":1,\"ima_policy\":0,\"digest\":77,\"signers\":["
        "{\"set\":\"signed/vendor\",\"key\":\"sha256:" +
            std::string(64, '0') +
            "\",\"entries\":2}]},"
            "\"faults\":[{\"id\":\"ima.unknown_digest\",\"severity\":\"critical\",\"entry\":57,"
            "\"path\":\"/bin/x\",\"digest\":\"sha256:" +
            std::string(64, '0') + "\",\"detail\":\"d\"}],\"faults_total\":1}");
}

TEST_CASE("report_json: what could not be proven is null, not zero") {
  Appraisal appraisal;
  appraisal.faults.add({.id = FaultId::kQuoteBadSignature});
  const auto json = report_json(appraisal);
  CHECK(json["verdict"] == "invalid");
  CHECK(json["quote"].dump() ==
        "{\"authentic\":false,\"nonce_ok\":null,\"bank\":null,\"pcrs\":null,\"reset_count\":null,"
        "\"restart_count\":null,\"clock_ms\":null,\"safe\":null}");
  CHECK(json["log"].dump() ==
        "{\"entries\":null,\"proven\":null,\"tail\":null,\"violations\":null,\"pcr\":10,"
        "\"templates\":null,\"boot_aggregate_ok\":null}");
}

TEST_CASE("report_json: a nonce that differs is said to differ") {
  Appraisal appraisal;
  appraisal.faults.add({.id = FaultId::kQuoteNonceMismatch});
  CHECK(report_json(appraisal)["quote"]["nonce_ok"] == false);
  CHECK(report_json(appraisal)["quote"]["authentic"] == false);
}

TEST_CASE("report_json: a boot aggregate that was not judged is null") {
  Appraisal appraisal = proven();
  appraisal.log->boot_aggregate_ok.reset();
  CHECK(report_json(appraisal)["log"]["boot_aggregate_ok"].is_null());
}

TEST_CASE("report_json: lists a thousand faults, and counts them all") {
  Appraisal appraisal = proven();
  for (std::uint64_t i = 0; i < 5000; ++i) {
    appraisal.faults.add({.id = FaultId::kImaUnknownDigest, .entry = i});
  }
  const auto json = report_json(appraisal);
  CHECK(json["faults"].size() == 1000);
  CHECK(json["faults_total"] == 5000);
}

TEST_CASE("report_text: begins with the verdict, and says what it rests on") {
  const std::string text = report_text(proven());
  CHECK(text.starts_with("verdict   trusted\n"));
  CHECK(text.find("sha256 PCRs 0-1,10;") != std::string::npos);
  CHECK(text.find("80 of 81 entries proven, 1 after the quote, 2 violations; ima-sig 81") !=
        std::string::npos);
  CHECK(text.find("boot aggregate as quoted") != std::string::npos);
  CHECK(text.find("accepted  77 by digest, 0 as IMA policy, 1 as boot aggregate\n"
                  "          2 signed by sha256:" +
                  std::string(64, '0') + " of signed/vendor\n") != std::string::npos);
  CHECK(text.ends_with("faults    0\n"));
  Appraisal invalid;
  invalid.faults.add({.id = FaultId::kQuoteBadSignature});
  CHECK(report_text(invalid).starts_with("verdict  invalid\nquote    not proven\n"));
  CHECK(report_text(invalid).find("quote.bad_signature") != std::string::npos);
}

TEST_CASE("report_text: a boot aggregate that differs, and a clock that is not safe, are said") {
  Appraisal appraisal = proven();
  appraisal.log->boot_aggregate_ok = false;
  appraisal.clock->safe = false;
  CHECK(report_text(appraisal).find("boot aggregate differs") != std::string::npos);
  CHECK(report_text(appraisal).find("(not safe)") != std::string::npos);
}
