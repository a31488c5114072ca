// boot_aggregate, in whichever bank the kernel takes it of.
#include <doctest/doctest.h>

#include "core/attest.h"
#include "core/verdict.h"
#include "tests/support/boot_log_builder.h"
#include "tests/support/simulated_node.h"

using namespace assay;
using namespace assay::testing;

namespace {

const Nonce kNonce = nonce_of(1);

using Names = std::vector<std::string>;

Names names(const FaultList& faults) {
  Names out;
  for (const Fault& fault : faults.listed()) out.emplace_back(fault_name(fault.id));
  return out;
}

GoldenSnapshot golden_with(const std::vector<Digest>& digests) {
  GoldenSnapshot::Builder builder;
  const auto set = builder.add_set("host");
  for (const Digest& digest : digests) builder.add(set, digest);
  return std::move(builder).build();
}

// What a verifier makes of a node's log, when it knows which banks its TPM keeps.
struct Verifier {
  std::vector<HashAlg> kept;
  GoldenSnapshot golden = golden_with({digest_of("good")});

  Appraisal attest(SimulatedNode& node, BootQuestion boot, const LogCheckpoint& from = {},
                   ByteView boot_log = {}) const {
    const PcrSelection selection = boot == BootQuestion::kAsked
                                       ? boot_selection(HashAlg::kSha256, kept)
                                       : default_selection(HashAlg::kSha256);
    const Challenge challenge{.nonce = kNonce,
                              .selection = selection,
                              .first_entry = 0,
                              .first_byte = 0,
                              .max_log_bytes = 0};
    const UntrustedQuote quote = node.quote(challenge);
    const AkPublic ak = node.tpm().ak();
    const Bytes log = node.log_from(from.bytes);
    return assay::attest({.quote = quote,
                          .ima_log = log,
                          .boot_log = boot_log.empty() ? std::nullopt : std::optional(boot_log)},
                         {.ak = ak,
                          .nonce = kNonce,
                          .selection = selection,
                          .from = from,
                          .golden = &golden,
                          .boot = boot});
  }
};

}  // namespace

TEST_CASE("boot_selection: the primary bank, and of the others what a boot_aggregate is taken of") {
  const std::vector<HashAlg> kept = {HashAlg::kSha1, HashAlg::kSha256, HashAlg::kSha384};
  const PcrSelection got = boot_selection(HashAlg::kSha256, kept);
  CHECK(got.size() == 8 + 16 + 10);
  CHECK(got.contains({HashAlg::kSha1, PcrIndex::of<7>()}));
  CHECK_FALSE(got.contains({HashAlg::kSha1, PcrIndex::of<8>()}));
  CHECK(got.contains({HashAlg::kSha384, PcrIndex::of<9>()}));
  CHECK_FALSE(got.contains({HashAlg::kSha384, kImaPcr}));
  CHECK(got.contains({HashAlg::kSha256, PcrIndex::of<15>()}));
  CHECK(boot_selection(HashAlg::kSha256, {}) == default_selection(HashAlg::kSha256));
}

TEST_CASE("attest: a boot_aggregate of another bank that the TPM keeps is told by the quote") {
  for (const HashAlg bank : {HashAlg::kSha1, HashAlg::kSha384, HashAlg::kSha512}) {
    CAPTURE(std::string(hash_name(bank)));
    SimulatedNode node({HashAlg::kSha256, bank}, bank);
    const Verifier verifier{.kept = {HashAlg::kSha256, bank}};
    const Appraisal got = verifier.attest(node, BootQuestion::kAsked);
    CHECK(names(got.faults) == Names{});
    REQUIRE(got.log.has_value());
    CHECK(got.log->boot_aggregate_ok == true);
    CHECK(got.bank == HashAlg::kSha256);

    node.tpm().set({{{bank, PcrIndex::of<7>()}, Digest::filled(bank, 8)}});
    CHECK(names(verifier.attest(node, BootQuestion::kAsked).faults) ==
          Names{"boot.aggregate_mismatch"});
  }
}

TEST_CASE("attest: a boot_aggregate that no quoted PCR can tell is unproven, unless it is golden") {
  SimulatedNode node({HashAlg::kSha256, HashAlg::kSha1}, HashAlg::kSha1);
  Verifier verifier{.kept = {HashAlg::kSha256}};
  const Appraisal got = verifier.attest(node, BootQuestion::kAsked);
  CHECK(names(got.faults) == Names{"boot.aggregate_unproven"});
  CHECK(is_guilty(got));
  REQUIRE(got.faults.listed().size() == 1);
  CHECK(got.faults.listed()[0].entry == 0);
  CHECK(got.faults.listed()[0].detail == "the sha1 bank is not quoted");
  CHECK_FALSE(got.log->boot_aggregate_ok.has_value());
  verifier.golden = golden_with({*got.faults.listed()[0].digest});
  CHECK(names(verifier.attest(node, BootQuestion::kAsked).faults) == Names{});
}

TEST_CASE("attest: a boot_aggregate of zeros says that the kernel had no PCR to take it of") {
  FakeTpm tpm;
  ImaBuilder log;
  log.file("boot_aggregate", Digest::zero(HashAlg::kSha256));
  log.file("boot_aggregate", Digest::zero(HashAlg::kSha384));
  tpm.set(log.pcrs());
  const AkPublic ak = tpm.ak();
  const GoldenSnapshot golden = golden_with({});
  const UntrustedQuote quote = tpm.quote(kNonce);
  const Appraisal got = attest({.quote = quote, .ima_log = log.bytes()},
                               {.ak = ak, .nonce = kNonce, .golden = &golden});
  CHECK(names(got.faults) == Names{"boot.aggregate_mismatch", "boot.aggregate_unproven"});
  for (const Fault& fault : got.faults.listed()) {
    CHECK(fault.detail ==
          "it is zero: when IMA started, the kernel found no TPM, or no PCR bank for ima_hash=");
  }
}

TEST_CASE("attest: banks that are quoted for boot_aggregate alone prove no boot") {
  SimulatedNode node({HashAlg::kSha256, HashAlg::kSha1}, HashAlg::kSha1);
  const Verifier verifier{.kept = {HashAlg::kSha256, HashAlg::kSha1}};
  const Appraisal got = verifier.attest(node, BootQuestion::kAsked);
  REQUIRE(got.boot.has_value());
  CHECK(got.boot->pcrs.size() == 11);
  for (const auto& [slot, value] : got.boot->pcrs) CHECK(slot.bank == HashAlg::kSha256);

  // Old firmware's log, which has SHA-1 digests only: the weak bank fits it, and vouches for nothing.
  LogBuilder legacy = LogBuilder::legacy();
  legacy.event(4, BootEventType::kAction, bytes_of("boot"));
  node.tpm().set(legacy.pcrs());
  const Appraisal forged = verifier.attest(node, BootQuestion::kAsked, {}, legacy.bytes());
  CHECK(names(forged.faults) == Names{"boot.pcr_mismatch"});
}

TEST_CASE("attest: a boot_aggregate that kexec adds is asked for again, with its bank, once") {
  SimulatedNode node({HashAlg::kSha256, HashAlg::kSha1}, HashAlg::kSha1);
  Verifier verifier{.kept = {HashAlg::kSha256, HashAlg::kSha1}};
  const Appraisal first = verifier.attest(node, BootQuestion::kAsked);
  REQUIRE(first.next.has_value());
  node.kexec(HashAlg::kSha1);
  const Appraisal rest = verifier.attest(node, BootQuestion::kNotAsked, *first.next);
  CHECK(rest.ask_again());
  CHECK(rest.continuity == Continuity::kKernelReplaced);
  CHECK_FALSE(rest.next.has_value());
  const Appraisal again = verifier.attest(node, BootQuestion::kAsked, *first.next);
  CHECK(names(again.faults) == Names{});
  CHECK(again.log->boot_aggregate_ok == true);

  // What the TPM does not keep is asked for once more, and then it is a fault.
  verifier.kept = {HashAlg::kSha256};
  CHECK(verifier.attest(node, BootQuestion::kNotAsked, *first.next).ask_again());
  CHECK(names(verifier.attest(node, BootQuestion::kAsked, *first.next).faults) ==
        Names{"boot.aggregate_unproven"});
}
