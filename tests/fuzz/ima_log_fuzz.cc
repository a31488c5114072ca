// No bytes a node can send may crash the parser or the replay, and what the parser has read and a
// TPM has extended is what the replay proves.
#include "core/attest.h"
#include "tests/fuzz/check.h"
#include "tests/support/fake_tpm.h"

namespace assay::testing {
namespace {

struct Parsed {
  std::uint64_t entries = 0;
  bool whole = false;  // to the end, with the digests that the data has, in PCR 10 only
  Digest pcr = Digest::zero(HashAlg::kSha256);
};

Parsed parse(ByteView log) {
  Parsed out;
  Hasher sha1(HashAlg::kSha1);
  Hasher sha256(HashAlg::kSha256);
  ImaLogReader reader(log);
  while (!reader.at_end()) {
    const auto entry = reader.next();
    if (!entry || entry->pcr != kImaPcr) return out;
    const Digest digest = template_digest(*entry, sha1);
    if (!entry->violation && !std::ranges::equal(digest.bytes(), entry->header_digest)) return out;
    out.pcr = extend(sha256, out.pcr, template_digest(*entry, sha256));
    ++out.entries;
  }
  out.whole = out.entries > 0;
  return out;
}

void check(ByteView log) {
  static FakeTpm tpm;
  static const AkPublic ak = tpm.ak();
  static const UntrustedQuote zero = tpm.quote(nonce_of(1));
  const Appraisal against_zero =
      attest({.quote = zero, .ima_log = log}, {.ak = ak, .nonce = nonce_of(1)});
  FUZZ_CHECK(!against_zero.log);  // PCR 10 at zero vouches for no entry

  const Parsed parsed = parse(log);
  if (!parsed.whole) return;
  tpm.pcrs.insert_or_assign({HashAlg::kSha256, kImaPcr}, parsed.pcr);
  const Appraisal appraisal =
      attest({.quote = tpm.quote(nonce_of(2)), .ima_log = log}, {.ak = ak, .nonce = nonce_of(2)});
  FUZZ_CHECK(appraisal.log && appraisal.log->proven == parsed.entries);
  FUZZ_CHECK(appraisal.next && appraisal.next->bytes == log.size());
}

}  // namespace
}  // namespace assay::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  assay::testing::check({data, size});
  return 0;
}
