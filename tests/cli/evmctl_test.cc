// The reference tool of the kernel's own people on the same logs: evmctl of ima-evm-utils.
#include <doctest/doctest.h>

#include <cstdio>

#include "core/ima_replay.h"
#include "tests/cli/assay_process.h"
#include "tests/support/evidence_case.h"
#include "tests/support/fake_tpm.h"
#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;

namespace {

// The PCRs of a bank as evmctl reads them: "PCR-10: 8E C2 …", 24 lines.
std::string pcr_file(HashAlg bank, const PcrValues& values) {
  std::string out;
  for (std::uint32_t i = 0; i < PcrIndex::kCount; ++i) {
    const auto found = values.find({bank, *PcrIndex::from(i)});
    const Digest value = found == values.end() ? Digest::zero(bank) : found->second;
    char cell[16];
    std::snprintf(cell, sizeof cell, "PCR-%02u:", i);
    out += cell;
    for (const std::uint8_t byte : value.bytes()) {
      std::snprintf(cell, sizeof cell, " %02X", byte);
      out += cell;
    }
    out += '\n';
  }
  return out;
}

bool evmctl_agrees(ByteView log, const PcrValues& values) {
  const TempDir dir;
  Arguments argv = {"evmctl", "ima_measurement", "--ignore-violations"};
  for (const HashAlg bank : {HashAlg::kSha1, HashAlg::kSha256}) {  // it takes two
    if (!values.contains({bank, kImaPcr})) continue;
    const std::string name(hash_name(bank));
    argv.insert(argv.end(),
                {"--pcrs", name + "," + dir.write(name, pcr_file(bank, values)).string()});
  }
  argv.push_back(dir.write("log", as_text(log)).string());
  return run_program(argv).exit == 0;
}

// What the replay says, or nothing when it agrees.
std::string assay_fault(ByteView log, const PcrValues& values) {
  FakeTpm tpm;
  tpm.set(values);
  const Nonce nonce = nonce_of(1);
  const auto quoted = verify_quote(tpm.quote(nonce), tpm.ak(), nonce, {.allow_sha1 = true});
  REQUIRE(quoted.has_value());
  const auto got = replay_ima_log(log, *quoted, {});
  return got ? "" : std::string(fault_name(got.error().id));
}

PcrValues other_value(PcrValues values) {
  for (auto& [slot, value] : values) {
    if (slot.index == kImaPcr) value = Digest::filled(slot.bank, 5);
  }
  return values;
}

void check_agreement(ByteView log, const PcrValues& values) {
  CHECK(evmctl_agrees(log, values));
  CHECK(assay_fault(log, values) == "");
  CHECK_FALSE(evmctl_agrees(log, other_value(values)));
  CHECK(assay_fault(log, other_value(values)) == "ima.pcr_mismatch");
}

}  // namespace

TEST_CASE("evmctl ima_measurement agrees with the replay on logs of every template") {
  for (const LogVector& vector : all_log_vectors()) {
    CAPTURE(vector.name);
    check_agreement(vector.log, vector.pcrs);
  }
}

TEST_CASE("evmctl ima_measurement agrees with the replay on the evidence of real machines") {
  int logs = 0;
  for (const std::string& name : all_cases()) {
    const EvidenceCase evidence = load_case(name);
    const nlohmann::json& covered = evidence.expected["quote"]["covers_entries"];
    if (name.starts_with("p-") || covered != evidence.expected["log"]["entries"]) continue;
    CAPTURE(name);
    PcrValues values;
    for (const auto& [slot, value] : evidence.all_pcrs) {
      if (slot.index.value() >= 10) values.emplace(slot, value);
    }
    check_agreement(evidence.ima_log, values);
    ++logs;
  }
  CHECK(logs >= 8);
}
