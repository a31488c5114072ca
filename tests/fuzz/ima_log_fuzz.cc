// No bytes a node can send may crash the parser, the replay or the appraisal. A log is proven
// exactly when each of its records is sound, up to exactly the record at which the TPM was quoted,
// and so is the rest of it later, even when older records are gone: all as computed here from the
// bytes, by other code.
#include <openssl/evp.h>

#include <algorithm>
#include <map>

#include "core/appraise.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/ima_records.h"
#include "tests/support/fake_tpm.h"

namespace assay::testing {
namespace {

constexpr std::size_t kMaxRecords = 4096;

// What the input leaves open, taken from its bytes.
class Choices {
 public:
  explicit Choices(ByteView input) {
    for (const std::uint8_t byte : input) left_ = (left_ ^ byte) * 16777619;
  }
  std::size_t below(std::size_t limit) {
    left_ = left_ * 1664525 + 1013904223;
    return (left_ >> 8) % limit;
  }

 private:
  std::uint32_t left_ = 2166136261;
};

// How the machine with this log extends its PCRs.
struct Kernel {
  std::vector<HashAlg> banks = {HashAlg::kSha256};
  bool pads_sha1 = false;  // it knows no other algorithm
};

Digest digest_of(HashAlg alg, ByteView bytes) {
  static const std::map<HashAlg, const EVP_MD*> kMethods = {{HashAlg::kSha1, EVP_sha1()},
                                                            {HashAlg::kSha256, EVP_sha256()},
                                                            {HashAlg::kSha384, EVP_sha384()},
                                                            {HashAlg::kSha512, EVP_sha512()}};
  std::array<std::uint8_t, kMaxHashSize> out{};
  FUZZ_CHECK(
      EVP_Digest(bytes.data(), bytes.size(), out.data(), nullptr, kMethods.at(alg), nullptr) == 1);
  return *Digest::from(alg, ByteView(out).first(hash_size(alg)));
}

Bytes padded_sha1(ByteView bytes, HashAlg alg) {
  const Digest sha1 = digest_of(HashAlg::kSha1, bytes);
  Bytes out(sha1.bytes().begin(), sha1.bytes().end());
  out.resize(hash_size(alg));
  return out;
}

// A log as its records, read by code of our own.
struct Model {
  ImaLogForm form;
  std::vector<ImaRecord> records;
  std::vector<std::size_t> ends;  // of each record in the log, after a 0

  explicit Model(ByteView log)
      : form(guess_ima_log_form(log)), records(read_records(log, form, kMaxRecords)), ends({0}) {
    Bytes written;
    for (const ImaRecord& record : records) {
      write_record(record, form, written);
      ends.push_back(written.size());
    }
    FUZZ_CHECK(std::ranges::equal(written, log.first(written.size())));
  }

  // Whether nothing is wrong with any record.
  bool sound(ByteView log) const {
    ImaLogReader reader(log, form);
    for (const ImaRecord& record : records) {
      const auto entry = reader.next();
      if (!entry || record.pcr > 15) return false;
      FUZZ_CHECK(std::ranges::equal(entry->template_data, record.data));
      FUZZ_CHECK(entry->violation == record.violation());
      if (!record.violation() && !header_is_true(record)) return false;
    }
    FUZZ_CHECK(reader.offset() == ends.back());
    return reader.at_end() && !records.empty();
  }

  // The PCRs after so many records.
  PcrValues pcrs(std::size_t count, const Kernel& kernel) const {
    PcrValues out = FakeTpm::fresh_pcrs();
    for (const HashAlg bank : kernel.banks) {
      out.emplace(PcrSlot{bank, kImaPcr}, Digest::zero(bank));
      for (const ImaRecord& record : std::span(records).first(count)) {
        const auto index = PcrIndex::from(record.pcr);
        const auto found = index ? out.find({bank, *index}) : out.end();
        if (found == out.end()) continue;  // not quoted
        Bytes both(found->second.bytes().begin(), found->second.bytes().end());
        const Bytes value = extended(record, bank, kernel);
        both.insert(both.end(), value.begin(), value.end());
        found->second = digest_of(bank, both);
      }
    }
    return out;
  }

 private:
  bool header_is_true(const ImaRecord& record) const {
    const Bytes hashed = hashed_bytes(record, form.order);
    return std::ranges::equal(digest_of(form.digests, hashed).bytes(), record.header_digest) ||
           padded_sha1(hashed, form.digests) == record.header_digest;
  }

  Bytes extended(const ImaRecord& record, HashAlg bank, const Kernel& kernel) const {
    if (record.violation()) return Bytes(hash_size(bank), 0xff);
    const Bytes hashed = hashed_bytes(record, form.order);
    if (kernel.pads_sha1) return padded_sha1(hashed, bank);
    const Digest digest = digest_of(bank, hashed);
    return {digest.bytes().begin(), digest.bytes().end()};
  }
};

const QuotedPcrs& quoted(const PcrValues& pcrs) {
  static FakeTpm tpm;
  static const AkPublic ak = tpm.ak();
  static std::map<PcrValues, QuotedPcrs> known;
  const auto found = known.find(pcrs);
  if (found != known.end()) return found->second;
  if (known.size() == 1000) known.clear();
  tpm.pcrs = pcrs;
  return known.emplace(pcrs, verify_quote(tpm.quote(nonce_of(1)), ak, nonce_of(1), {}).value())
      .first->second;
}

// The rest of a log of which `before` was proven, from the checkpoint on and from anywhere.
void check_rest(ByteView log, const Model& model, const AttestedImaLog& before,
                const Kernel& kernel, std::size_t start) {
  const std::size_t all = model.records.size();
  const QuotedPcrs now = quoted(model.pcrs(all, kernel));
  ReplayRules rules{.form = model.form, .allow_sha1 = kernel.pads_sha1};
  const auto rest = replay_ima_log(log.subspan(before.next().bytes), now, before.next(), rules);
  FUZZ_CHECK(rest && rest->first_entry() == before.size() && rest->next().entries == all);
  FUZZ_CHECK(rest->next().bytes == log.size() && rest->tail_entries() == 0);

  rules.start = LogStart::kUnknown;
  const std::size_t begin = model.ends[start];
  const auto found = replay_ima_log(log.subspan(begin), now, before.next(), rules);
  FUZZ_CHECK(found || all > kMaxResumePoints);
  if (!found) return;
  FUZZ_CHECK(found->first_entry() == before.size() && found->next().entries == all);
  if (before.size() == all) return;
  FUZZ_CHECK(begin + found->next().bytes == log.size());
}

// Every third digest that the log has.
GoldenSnapshot some_golden(const AttestedImaLog& log) {
  GoldenSnapshot::Builder builder;
  const auto set = builder.add_set("some");
  for (ImaLogReader entries = log.entries(); !entries.at_end();) {
    const auto entry = entries.next();
    FUZZ_CHECK(entry.has_value());
    if (entry->file_digest && entry->index % 3 == 0) builder.add(set, *entry->file_digest);
  }
  return std::move(builder).build();
}

// What was settled in the replay changes no verdict.
void check_appraisal(ByteView log, const QuotedPcrs& quoted, const AttestedImaLog& unfiltered,
                     const ReplayRules& rules) {
  const GoldenSnapshot golden = some_golden(unfiltered);
  const LogExpectation expected{.golden = &golden};
  const LogAppraiser appraiser(quoted, expected);
  const LogAppraisal want = appraiser.appraise(unfiltered);
  const auto filtered = replay_ima_log(log, quoted, {}, rules, &appraiser);
  FUZZ_CHECK(filtered.has_value());
  const LogAppraisal got = appraiser.appraise(*filtered);
  FUZZ_CHECK(got.faults.total() == want.faults.total());
  FUZZ_CHECK(got.accepted.digest == want.accepted.digest);
  FUZZ_CHECK(got.faults.listed().size() == want.faults.listed().size());
  for (std::size_t i = 0; i < got.faults.listed().size(); ++i) {
    FUZZ_CHECK(format_fault(got.faults.listed()[i]) == format_fault(want.faults.listed()[i]));
  }
}

void check_entries(const Model& model, const AttestedImaLog& log) {
  ImaLogReader entries = log.entries();
  for (std::size_t i = 0; i < log.size(); ++i) {
    const auto entry = entries.next();
    FUZZ_CHECK(entry && entry->index == i);
    FUZZ_CHECK(std::ranges::equal(entry->template_data, model.records[i].data));
  }
  FUZZ_CHECK(entries.at_end());
}

Kernel choose_kernel(Choices& choices) {
  Kernel out;
  if (choices.below(2) == 0) out.banks = {HashAlg::kSha1, HashAlg::kSha256, HashAlg::kSha512};
  out.pads_sha1 = choices.below(4) == 0;
  return out;
}

void check(ByteView log) {
  const Model model(log);
  const ReplayRules strict{.form = model.form};
  const auto of_nothing = replay_ima_log(log, quoted(FakeTpm::fresh_pcrs()), {}, strict);
  FUZZ_CHECK(!of_nothing);  // PCR 10 at zero vouches for no entry

  Choices choices(log);
  const bool sound = model.sound(log);
  const std::size_t all = model.records.size();
  if (all == 0 || (!sound && choices.below(8) > 0)) return;
  const Kernel kernel = choose_kernel(choices);
  const std::size_t proven = 1 + choices.below(all);
  const PcrValues pcrs = model.pcrs(proven, kernel);
  const QuotedPcrs at_proven = quoted(pcrs);
  const auto attested =
      replay_ima_log(log, at_proven, {}, {.form = model.form, .allow_sha1 = kernel.pads_sha1});
  FUZZ_CHECK(attested.has_value() == sound);
  if (!attested) return;
  FUZZ_CHECK(attested->size() == proven && proven + attested->tail_entries() == all);
  FUZZ_CHECK(attested->next().bytes == model.ends[proven]);
  const PcrSlot ima{HashAlg::kSha256, kImaPcr};
  FUZZ_CHECK(attested->next().running.at(ima) == pcrs.at(ima));
  check_entries(model, *attested);
  check_appraisal(log, at_proven, *attested, {.form = model.form, .allow_sha1 = kernel.pads_sha1});
  if (choices.below(4) == 0) {
    check_rest(log, model, *attested, kernel, choices.below(proven));
  }
}

}  // namespace
}  // namespace assay::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  assay::testing::check({data, size});
  return 0;
}
