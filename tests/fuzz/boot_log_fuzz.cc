// No bytes a node can send may crash the parser or the replay, or make them read out of bounds.
#include "core/boot/boot_log.h"
#include "tests/fuzz/check.h"
#include "tests/support/fake_tpm.h"

namespace assay::testing {
namespace {

// SHA-256 PCRs 0–15 as `log` says that they were extended.
PcrValues extended_by(const UntrustedBootLog& log) {
  PcrValues out = FakeTpm().pcrs;
  Bytes pcr0(hash_size(HashAlg::kSha256));
  pcr0.back() = log.startup_locality();
  const PcrSlot first{HashAlg::kSha256, PcrIndex::of<0>()};
  out.insert_or_assign(first, *Digest::from(HashAlg::kSha256, pcr0));
  Hasher hasher(HashAlg::kSha256);
  for (const BootEvent& event : log.events()) {
    const auto digest = event.digest(HashAlg::kSha256);
    if (!event.pcr || event.type == BootEventType::kNoAction || !digest) continue;
    const auto slot = out.find({HashAlg::kSha256, *event.pcr});
    if (slot != out.end()) slot->second = extend(hasher, slot->second, *digest);
  }
  return out;
}

void check(ByteView bytes) {
  static FakeTpm tpm;
  static const AkPublic ak = tpm.ak();
  const auto log = parse_boot_log(bytes);
  if (!log) return;
  tpm.pcrs = extended_by(*log);
  const auto quoted = verify_quote(tpm.quote(nonce_of(1)), ak, nonce_of(1), {});
  FUZZ_CHECK(quoted);
  const auto attested = replay_boot_log(*log, *quoted);
  if (!attested) return;
  for (const AttestedBootEvent& event : attested->events()) {
    FUZZ_CHECK(event.proven_data.size() <= event.event.data.size());
  }
}

}  // namespace
}  // namespace assay::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  assay::testing::check({data, size});
  return 0;
}
