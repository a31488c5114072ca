// No token and no key set that somebody can send may crash the readers, and no token counts but the one that
// the seed's issuer has signed.
#include "tests/fuzz/check.h"
#include "verifier/identity/identity_token.h"

namespace assay {
namespace {

// The key that has signed seeds/es256.jwt: made for it with openssl.
constexpr std::string_view kKeys = R"({"keys":[{"kid":"k1","kty":"EC","crv":"P-256",)"
                                   R"("x":"tIoir80UeuDvWPnHxNnkDG9pQ35M_48tshN-hlKkzv8",)"
                                   R"("y":"XauCaKScl4cQw5GSE7_Q5QaYoTxE6yMhMCf6Ot-gS1k"}]})";
constexpr Instant kNow{std::chrono::seconds(1'700'000'060)};

void check_keys(ByteView input) {
  const auto keys = parse_key_set(input);
  FUZZ_CHECK(!keys || (keys->size() > 0 && keys->size() <= kMaxKeySetKeys));
}

void check_token(ByteView input) {
  static FixedKeys keys(parse_key_set(as_bytes(kKeys)).value());
  auto token = parse_identity_token(as_text(input));
  if (!token) {
    FUZZ_CHECK(token.error().id == FaultId::kIdentityMalformed);
    return;
  }
  FUZZ_CHECK(as_text(input).starts_with(token->signed_part + '.'));
  const IssuerTrust trust{
      .issuer = "https://i.example", .audience = "assay", .algorithm = TokenAlgorithm::kEs256};
  const auto identity = verify_identity(*std::move(token), trust, keys, kNow);
  if (!identity) return;
  const std::string* id = identity->claims().text({"jti"});
  FUZZ_CHECK(id != nullptr && *id == "seed");
}

}  // namespace
}  // namespace assay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  assay::check_keys({data, size});
  assay::check_token({data, size});
  return 0;
}
