// No bytes a node can send as a quote or a signature may crash the check; neither is authentic, and
// what the key has signed is a quote only when it says all that a quote has to.
#include <tss2/tss2_mu.h>

#include "core/tpm_quote.h"
#include "tests/fuzz/check.h"
#include "tests/support/fake_tpm.h"

namespace assay::testing {
namespace {

// What the attest says it answers, so that inputs come further than the comparison of nonces.
Nonce nonce_in(ByteView attest) {
  TPMS_ATTEST parsed = {};
  std::size_t offset = 0;
  if (Tss2_MU_TPMS_ATTEST_Unmarshal(attest.data(), attest.size(), &offset, &parsed) !=
      TSS2_RC_SUCCESS) {
    return nonce_of(3);
  }
  return Nonce::from({parsed.extraData.buffer, parsed.extraData.size}).value_or(nonce_of(3));
}

void check(ByteView bytes) {
  static const FakeTpm tpm;
  static const AkPublic ak = tpm.ak();
  static const UntrustedQuote good = tpm.quote(nonce_of(1));
  const Bytes input(bytes.begin(), bytes.end());

  UntrustedQuote other_attest = good;
  other_attest.attest = input;
  FUZZ_CHECK(input == good.attest || !verify_quote(other_attest, ak, nonce_of(1), {}));

  // An ECDSA signature has a twin (r, -s), which proves as much.
  UntrustedQuote other_signature = good;
  other_signature.signature = input;
  (void)verify_quote(other_signature, ak, nonce_of(1), {.allow_sha1 = true});

  UntrustedQuote signed_input = tpm.sign_bytes(input);
  signed_input.pcrs = tpm.pcrs;
  const auto quoted = verify_quote(signed_input, ak, nonce_in(bytes), {.allow_sha1 = true});
  FUZZ_CHECK(!quoted || quoted->values() == tpm.pcrs);
}

}  // namespace
}  // namespace assay::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  assay::testing::check({data, size});
  return 0;
}
