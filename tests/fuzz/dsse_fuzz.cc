// No envelope that CI can push may crash the reader; one that it accepts is written and read again as the
// same, and nobody is said to have signed but with the one signature that the seed has.
#include "core/bytes.h"
#include "golden/signed_envelope.h"
#include "tests/fuzz/check.h"

namespace assay {
namespace {

// Of the seed's signer: made for it with openssl.
constexpr std::string_view kKey =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAe98bOH8BJRwlOl5JQRHtPD7CO0QAu6jl19pZMvI06P8=\n"
    "-----END PUBLIC KEY-----\n";
constexpr std::string_view kPayload = "{}";

void check(ByteView input) {
  static const SigningPublicKey key = parse_signing_public_key(as_bytes(kKey)).value();
  // Without these words no PEM begins, and OpenSSL takes its time to say so.
  if (as_text(input).find("-----BEGIN ") != std::string_view::npos) {
    (void)parse_signing_public_key(input);
    (void)parse_signing_private_key(input);
  }
  const auto envelope = parse_envelope(input);
  if (!envelope) return;
  const auto signers = signers_of(*envelope, {&key, 1});
  FUZZ_CHECK(signers.empty() || as_text(envelope->payload) == kPayload);
  const auto again = parse_envelope(as_bytes(format_envelope(*envelope)));
  FUZZ_CHECK(again && again->payload == envelope->payload);
  FUZZ_CHECK(again->signatures.size() == envelope->signatures.size());
  FUZZ_CHECK(signers_of(*again, {&key, 1}) == signers);
}

}  // namespace
}  // namespace assay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  assay::check({data, size});
  return 0;
}
