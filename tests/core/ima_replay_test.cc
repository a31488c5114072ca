#include "core/ima_replay.h"

#include <doctest/doctest.h>

#include "tests/support/evidence_case.h"
#include "tests/support/fake_tpm.h"
#include "tests/support/fault_of.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

const Nonce kNonce = nonce_of(1);

QuotedPcrs quoted(const PcrValues& values) {
  FakeTpm tpm;
  tpm.set(values);
  return verify_quote(tpm.quote(kNonce), tpm.ak(), kNonce, {.allow_sha1 = true}).value();
}

ImaBuilder three_files(std::vector<HashAlg> banks = {HashAlg::kSha256}) {
  ImaBuilder log(std::move(banks));
  log.file("/bin/a", digest_of("a")).file("/bin/b", digest_of("b")).file("/bin/c", digest_of("c"));
  return log;
}

std::string replay_fault(ByteView log, const QuotedPcrs& proof, const LogCheckpoint& from = {}) {
  const auto got = replay_ima_log(log, proof, from);
  return got ? "" : std::string(fault_name(got.error().id));
}

// Whether an entry is one that no golden set can vouch for. A template's name is not part of what is
// hashed: a record that was renamed is still proven, but no longer understood.
bool gives_itself_away(const AttestedImaLog& log) {
  for (ImaLogReader entries = log.entries(); !entries.at_end();) {
    const auto state = entries.next()->digest_state;
    if (state == FileDigestState::kNoField || state == FileDigestState::kContradicted) return true;
  }
  return false;
}

bool breaks_the_form(FaultId id) {
  return id == FaultId::kImaMalformed || id == FaultId::kImaTooLarge ||
         id == FaultId::kImaTemplateDigestMismatch;
}

Bytes edited(Bytes log, std::size_t at, std::uint8_t value) {
  log[at] = value;
  return log;
}

}  // namespace

TEST_CASE("replay_ima_log: a log that leads to the quoted PCR is proven whole") {
  const ImaBuilder log = three_files();
  const QuotedPcrs proof = quoted(log.pcrs());
  const auto got = replay_ima_log(log.bytes(), proof, {});
  REQUIRE(got.has_value());
  CHECK(got->size() == 3);
  CHECK(got->tail_entries() == 0);
  CHECK(got->next().entries == 3);
  CHECK(got->next().bytes == log.bytes().size());
  std::vector<std::string> names;
  for (ImaLogReader entries = got->entries(); !entries.at_end();) {
    names.emplace_back(entries.next()->name);
  }
  CHECK(names == std::vector<std::string>{"/bin/a", "/bin/b", "/bin/c"});
}

TEST_CASE("replay_ima_log: entries logged after the quote are a tail, and proven by the next one") {
  ImaBuilder log = three_files();
  const QuotedPcrs early = quoted(log.pcrs());
  log.file("/bin/late", digest_of("late"));
  const auto first = replay_ima_log(log.bytes(), early, {});
  REQUIRE(first.has_value());
  CHECK(first->size() == 3);
  CHECK(first->tail_entries() == 1);

  const QuotedPcrs later = quoted(log.pcrs());
  const auto second =
      replay_ima_log(ByteView(log.bytes()).subspan(first->next().bytes), later, first->next());
  REQUIRE(second.has_value());
  CHECK(second->first_entry() == 3);
  CHECK(second->size() == 1);
  CHECK(second->next().bytes == log.bytes().size());
}

TEST_CASE("replay_ima_log: nothing new since the checkpoint is proven by the same PCR value") {
  const ImaBuilder log = three_files();
  const QuotedPcrs proof = quoted(log.pcrs());
  const LogCheckpoint at = replay_ima_log(log.bytes(), proof, {})->next();
  const auto got = replay_ima_log({}, proof, at);
  REQUIRE(got.has_value());
  CHECK(got->size() == 0);
  CHECK(got->next().entries == 3);
}

TEST_CASE("replay_ima_log: a log that the quote does not prove is refused for its own reason") {
  const ImaBuilder log = three_files();
  const QuotedPcrs proof = quoted(log.pcrs());
  const std::size_t record = log.bytes().size() / 3;
  const ByteView bytes = log.bytes();
  Bytes without_middle(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(record));
  without_middle.insert(without_middle.end(),
                        bytes.begin() + static_cast<std::ptrdiff_t>(2 * record), bytes.end());
  ImaBuilder swapped;
  swapped.file("/bin/b", digest_of("b"))
      .file("/bin/a", digest_of("a"))
      .file("/bin/c", digest_of("c"));
  ImaBuilder other_pcr = three_files();
  other_pcr.record(PcrIndex::of<16>(), "ima-ng", {d_ng(digest_of("x")), n_ng("/bin/x")});
  ImaBuilder boot_pcr = three_files();
  boot_pcr.record(PcrIndex::of<9>(), "ima-ng", {d_ng(digest_of("x")), n_ng("/bin/x")});
  const LogCheckpoint at_end = replay_ima_log(bytes, proof, {})->next();
  ImaBuilder longer = three_files();
  longer.file("/bin/d", digest_of("d"));

  CHECK(replay_fault(without_middle, proof) == "ima.pcr_mismatch");
  CHECK(replay_fault(swapped.bytes(), proof) == "ima.pcr_mismatch");
  CHECK(replay_fault(bytes.first(record), proof) == "ima.pcr_mismatch");
  CHECK(replay_fault({}, proof) == "ima.pcr_mismatch");
  CHECK(replay_fault(edited(log.bytes(), 4, 0x77), proof) == "ima.template_digest_mismatch");
  CHECK(replay_fault(edited(log.bytes(), log.bytes().size() - 2, 'x'), proof) ==
        "ima.template_digest_mismatch");
  CHECK(replay_fault(bytes.first(bytes.size() - 1), proof) == "ima.malformed");
  CHECK(replay_fault(other_pcr.bytes(), proof) == "ima.pcr_not_quoted");
  CHECK(replay_fault({}, quoted(longer.pcrs()), at_end) == "ima.log_truncated");
  CHECK(replay_fault({}, quoted({}), {}) == "ima.nothing_measured");
  CHECK(replay_fault(bytes, quoted({}), {}) == "ima.nothing_measured");
  // An entry for a quoted PCR that the log does not account for is tail at best, never proof.
  CHECK(replay_ima_log(boot_pcr.bytes(), proof, {})->tail_entries() == 1);
}

TEST_CASE("replay_ima_log: an entry of another quoted PCR has to lead to its value too") {
  ImaBuilder log = three_files();
  log.record(PcrIndex::of<11>(), "ima-ng", {d_ng(digest_of("x")), n_ng("/bin/x")});
  log.file("/bin/d", digest_of("d"));
  CHECK(replay_ima_log(log.bytes(), quoted(log.pcrs()), {})->size() == 5);
  PcrValues wrong = log.pcrs();
  wrong.insert_or_assign({HashAlg::kSha256, PcrIndex::of<11>()}, digest_of("other"));
  CHECK(replay_fault(log.bytes(), quoted(wrong)) == "ima.pcr_mismatch");
}

TEST_CASE("replay_ima_log: a PCR that only the tail names has to be zero in the quote") {
  ImaBuilder log = three_files();
  const PcrValues before = log.pcrs();
  log.record(PcrIndex::of<11>(), "ima-ng", {d_ng(digest_of("evil")), n_ng("/bin/x")});
  CHECK(replay_ima_log(log.bytes(), quoted(before), {})->tail_entries() == 1);
  CHECK(replay_ima_log(log.bytes(), quoted(log.pcrs()), {})->tail_entries() == 0);

  // The kernel measured another file than the log says, and PCR 10 has not moved since.
  ImaBuilder forged = three_files();
  forged.record(PcrIndex::of<11>(), "ima-ng", {d_ng(digest_of("good")), n_ng("/bin/x")});
  CHECK(replay_fault(forged.bytes(), quoted(log.pcrs())) == "ima.pcr_mismatch");
  const LogCheckpoint at = replay_ima_log(three_files().bytes(), quoted(before), {})->next();
  const ByteView rest = ByteView(forged.bytes()).subspan(at.bytes);
  CHECK(replay_fault(rest, quoted(log.pcrs()), at) == "ima.pcr_mismatch");
}

TEST_CASE("replay_ima_log: a violation extends ones, and its name proves nothing") {
  ImaBuilder log = three_files();
  log.violation("/var/log/x");
  const auto got = replay_ima_log(log.bytes(), quoted(log.pcrs()), {});
  REQUIRE(got.has_value());
  CHECK(got->size() == 4);
  ImaBuilder renamed = three_files();
  renamed.violation("/var/log/y");
  CHECK(renamed.pcrs() == log.pcrs());
}

TEST_CASE("replay_ima_log: every quoted bank has to agree, by its own digests or by padded SHA-1") {
  const std::vector<HashAlg> banks = {HashAlg::kSha1, HashAlg::kSha256, HashAlg::kSha384};
  const ImaBuilder log = three_files(banks);
  CHECK(replay_ima_log(log.bytes(), quoted(log.pcrs()), {})->size() == 3);

  PcrValues one_bank_moved = log.pcrs();
  one_bank_moved.insert_or_assign({HashAlg::kSha384, kImaPcr}, Digest::filled(HashAlg::kSha384, 5));
  CHECK(replay_fault(log.bytes(), quoted(one_bank_moved)) == "ima.pcr_mismatch");

  PcrValues padded = log.pcrs();
  Hasher sha384(HashAlg::kSha384);
  Digest running = Digest::zero(HashAlg::kSha384);
  for (ImaLogReader reader(log.bytes()); !reader.at_end();) {
    running =
        extend(sha384, running, *Digest::padded(HashAlg::kSha384, reader.next()->header_digest));
  }
  padded.insert_or_assign({HashAlg::kSha384, kImaPcr}, running);
  CHECK(replay_ima_log(log.bytes(), quoted(padded), {})->size() == 3);
  padded.erase({HashAlg::kSha256, kImaPcr});  // padded SHA-1 alone is no SHA-2 proof
  FakeTpm tpm;
  tpm.pcrs = padded;
  const QuotedPcrs weak = verify_quote(tpm.quote(kNonce), tpm.ak(), kNonce, {}).value();
  REQUIRE(weak.primary_bank() == HashAlg::kSha384);
  CHECK(replay_fault(log.bytes(), weak) == "quote.sha1_refused");
  CHECK(replay_ima_log(log.bytes(), weak, {}, {.allow_sha1 = true})->size() == 3);
}

TEST_CASE("replay_ima_log: a log in another form than declared is proven by nothing") {
  const ImaLogForm big{.order = ByteOrder::kBig};
  const ImaLogForm sha256{.digests = HashAlg::kSha256};
  for (const ImaLogForm form : {ImaLogForm{}, big, sha256}) {
    ImaBuilder log({HashAlg::kSha256}, form);
    log.file("/bin/a", digest_of("a")).legacy("/bin/b", hash(HashAlg::kSha1, as_bytes("b")));
    log.violation("/bin/c");
    const QuotedPcrs proof = quoted(log.pcrs());
    for (const ImaLogForm declared : {ImaLogForm{}, big, sha256}) {
      const auto got = replay_ima_log(log.bytes(), proof, {}, {.form = declared});
      CHECK(got.has_value() == (form == declared));
      if (!got) CHECK(breaks_the_form(got.error().id));
    }
  }
}

TEST_CASE(
    "replay_ima_log: digests of an algorithm that the kernel lacks are padded in its file too") {
  const ImaLogForm form{.digests = HashAlg::kSha512};
  ImaBuilder log({HashAlg::kSha256, HashAlg::kSha512}, form, {HashAlg::kSha512});
  log.file("/bin/a", digest_of("a")).violation("/bin/b");
  CHECK(replay_ima_log(log.bytes(), quoted(log.pcrs()), {}, {.form = form})->size() == 2);
}

TEST_CASE("replay_ima_log: a log whose older records were removed goes on at the checkpoint") {
  ImaBuilder log = three_files();
  const std::size_t third = log.bytes().size() / 3;
  const LogCheckpoint at = replay_ima_log(log.bytes(), quoted(log.pcrs()), {})->next();
  log.file("/bin/d", digest_of("d")).file("/bin/e", digest_of("e"));
  const QuotedPcrs proof = quoted(log.pcrs());
  const ReplayRules anywhere{.start = LogStart::kUnknown};
  for (const std::size_t removed : {0, 1, 2, 3}) {
    CAPTURE(removed);
    const ByteView kept = ByteView(log.bytes()).subspan(removed * third);
    const auto got = replay_ima_log(kept, proof, at, anywhere);
    REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
    CHECK(got->size() == 2);
    CHECK(got->first_entry() == 3);
    CHECK(got->entries().next()->name == "/bin/d");
    CHECK(got->next().bytes == kept.size());
    CHECK(got->next().entries == 5);
    const auto again = replay_ima_log(kept.subspan(got->next().bytes), proof, got->next());
    CHECK(again->size() == 0);
  }
  // What was removed and never proven is gone: the rest cannot stand for it.
  const ByteView too_late = ByteView(log.bytes()).subspan(4 * third);
  CHECK(fault_of(replay_ima_log(too_late, proof, at, anywhere)) == FaultId::kImaPcrMismatch);
  CHECK(fault_of(replay_ima_log({}, proof, at, anywhere)) == FaultId::kImaLogTruncated);
}

TEST_CASE("replay_ima_log: a place to go on is looked for behind so many equal records, not more") {
  ImaBuilder log = three_files();
  log.violation("/x");
  const LogCheckpoint at = replay_ima_log(log.bytes(), quoted(log.pcrs()), {})->next();
  const ReplayRules anywhere{.start = LogStart::kUnknown};
  for (std::size_t i = 1; i < kMaxResumePoints - 1; ++i) log.violation("/x");
  CHECK(replay_ima_log(log.bytes(), quoted(log.pcrs()), at, anywhere).has_value());
  log.violation("/x");
  const auto got = replay_ima_log(log.bytes(), quoted(log.pcrs()), at, anywhere);
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().id == FaultId::kImaLogTruncated);  // as seen from the newest place
}

TEST_CASE("replay_ima_log: template names are counted, the most of them by name") {
  ImaBuilder log;
  for (std::size_t i = 0; i < LogCounts::kMaxTemplates + 9; ++i) {
    log.record(kImaPcr, "t" + std::to_string(i), {{1}});
  }
  log.file("/a", digest_of("a")).record(kImaPcr, "t0", {{1}}).violation("/x");
  const auto got = replay_ima_log(log.bytes(), quoted(log.pcrs()), {});
  REQUIRE(got.has_value());
  const LogCounts& counts = got->counts();
  CHECK(counts.templates.size() == LogCounts::kMaxTemplates + 1);
  CHECK(counts.templates.at("t0") == 2);
  CHECK(counts.templates.at("other") == 9 + 2);
  CHECK(counts.violations == 1);
}

TEST_CASE("replay_ima_log: of equal records, the one that the PCR follows is the checkpoint") {
  ImaBuilder log = three_files();
  log.violation("/x").violation("/x");
  const LogCheckpoint at = replay_ima_log(log.bytes(), quoted(log.pcrs()), {})->next();
  log.violation("/x").file("/bin/d", digest_of("d"));
  const auto got =
      replay_ima_log(log.bytes(), quoted(log.pcrs()), at, {.start = LogStart::kUnknown});
  REQUIRE(got.has_value());
  CHECK(got->first_entry() == 5);
  CHECK(got->size() == 2);
}

TEST_CASE("replay_ima_log: logs of real kernels lead to what the TPM reported, in every bank") {
  CHECK(all_log_vectors().size() == 12);
  for (const LogVector& vector : all_log_vectors()) {
    CAPTURE(vector.name);
    const auto got = replay_ima_log(vector.log, quoted(vector.pcrs), {});
    REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
    CHECK(got->tail_entries() == 0);
    CHECK(got->size() >= vector.entries);  // which counts those of one PCR
  }
}

TEST_CASE("replay_ima_log: evidence of real machines is proven as far as expected.json says") {
  for (const std::string& name : all_cases()) {
    const EvidenceCase evidence = load_case(name);
    const auto proof = evidence.quoted();
    const nlohmann::json& covers = evidence.expected["quote"]["covers_entries"];
    if (!proof || !covers.is_number() || name.starts_with("p-")) continue;
    CAPTURE(name);
    const auto got = replay_ima_log(evidence.ima_log, *proof, {});
    REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
    CHECK(got->size() == covers.get<std::uint64_t>());
    CHECK(got->size() + got->tail_entries() ==
          evidence.expected["log"]["entries"].get<std::uint64_t>());
  }
}

TEST_CASE(
    "replay_ima_log: every truncation and every flipped bit of a real log is a fault or a named "
    "violation") {
  for (const std::string name :
       {"k-reboot-1", "c-legacy-ima", "b-ima-ngv2", "i-evm-sig", "h-imabuf"}) {
    CAPTURE(name);
    const EvidenceCase evidence = load_case(name);
    const QuotedPcrs proof = evidence.quoted().value();
    Bytes log = evidence.ima_log;
    for (std::size_t i = 0; i < log.size(); ++i) {
      CHECK_FALSE(replay_ima_log(ByteView(log).first(i), proof, {}).has_value());
      const auto bit = static_cast<std::uint8_t>(1 << (i % 8));
      log[i] ^= bit;
      const auto flipped = replay_ima_log(log, proof, {});
      CHECK((!flipped || gives_itself_away(*flipped)));
      log[i] ^= bit;
    }
  }
}
