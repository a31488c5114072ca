#include "core/signature/token_key.h"

#include <doctest/doctest.h>

#include "tests/support/token_signer.h"

using namespace assay;
using namespace assay::testing;

namespace {

Bytes decoded(std::string_view text) {
  const auto out = from_base64url(text);
  REQUIRE(out.has_value());
  return *out;
}

TokenKey key_of(const TokenSigner& signer) {
  const auto out = signer.algorithm() == "RS256"
                       ? rsa_token_key(as_bytes(signer.modulus()), decoded("AQAB"))
                       : p256_token_key(as_bytes(signer.x()), as_bytes(signer.y()));
  REQUIRE(out.has_value());
  return *out;
}

// RFC 7515, appendix A.2 and A.3: two keys and what they have signed.
constexpr std::string_view kPayload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";
constexpr std::string_view kRsaModulus =
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"
    "4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql"
    "L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
    "bSf63kpaSHSXndS5z5rexMdbBYUs"
    "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-"
    "DWNmoud"
    "F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
constexpr std::string_view kRsaSignature =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
    "O8W2Fp5jujG"
    "bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
    "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"
    "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
    "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6"
    "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
constexpr std::string_view kEcX = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
constexpr std::string_view kEcY = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
constexpr std::string_view kEcSignature =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

std::string with(std::string_view header) {
  return std::string(header) + '.' + std::string(kPayload);
}

}  // namespace

TEST_CASE("TokenKey: the example of RS256 in RFC 7515, A.2") {
  const auto key = rsa_token_key(decoded(kRsaModulus), decoded("AQAB"));
  REQUIRE(key.has_value());
  CHECK(key->algorithm() == TokenAlgorithm::kRs256);
  const std::string message = with("eyJhbGciOiJSUzI1NiJ9");
  CHECK(key->verify(as_bytes(message), decoded(kRsaSignature)));
  CHECK_FALSE(key->verify(as_bytes(with("eyJhbGciOiJSUzI1NiI9")), decoded(kRsaSignature)));
}

TEST_CASE("TokenKey: the example of ES256 in RFC 7515, A.3") {
  const auto key = p256_token_key(decoded(kEcX), decoded(kEcY));
  REQUIRE(key.has_value());
  CHECK(key->algorithm() == TokenAlgorithm::kEs256);
  const std::string message = with("eyJhbGciOiJFUzI1NiJ9");
  CHECK(key->verify(as_bytes(message), decoded(kEcSignature)));
  CHECK_FALSE(key->verify(as_bytes(with("eyJhbGciOiJFUzI1NiI9")), decoded(kEcSignature)));
}

TEST_CASE("TokenKey: verifies its own signature over this message, and nothing else") {
  for (const TokenSigner& signer : {TokenSigner::rsa(), TokenSigner::ec()}) {
    CAPTURE(signer.algorithm());
    const TokenKey key = key_of(signer);
    std::string signature = signer.sign("message");
    CHECK(key.verify(as_bytes("message"), as_bytes(signature)));
    CHECK_FALSE(key.verify(as_bytes("another"), as_bytes(signature)));
    CHECK_FALSE(key.verify(as_bytes("message"), {}));
    CHECK_FALSE(key.verify(as_bytes("message"), as_bytes(signature + '\0')));
    CHECK_FALSE(key.verify(as_bytes("message"),
                           as_bytes(std::string_view(signature).substr(0, signature.size() - 1))));
    CHECK_FALSE(key.verify(as_bytes("message"), Bytes(signature.size())));
    signature[5] = static_cast<char>(signature[5] ^ 1);
    CHECK_FALSE(key.verify(as_bytes("message"), as_bytes(signature)));
  }
}

TEST_CASE("TokenKey: an ES256 signature in DER is none") {
  const TokenSigner signer = TokenSigner::ec();
  const std::string parts = signer.sign("message");
  const auto integer = [](std::string part) {
    if ((part[0] & 0x80) != 0) part.insert(part.begin(), '\0');
    return std::string("\x02") + static_cast<char>(part.size()) + part;
  };
  const std::string both = integer(parts.substr(0, 32)) + integer(parts.substr(32));
  const std::string der = std::string("\x30") + static_cast<char>(both.size()) + both;
  CHECK_FALSE(key_of(signer).verify(as_bytes("message"), as_bytes(der)));
}

TEST_CASE("rsa_token_key: 2048 to 8192 bits and the exponent 65537") {
  const Bytes usual = decoded("AQAB");
  const auto of_bits = [&](std::size_t bits) {
    Bytes n(bits / 8, 0xff);
    return rsa_token_key(n, usual).has_value();
  };
  CHECK_FALSE(of_bits(2040));
  CHECK(of_bits(2048));
  CHECK(of_bits(8192));
  CHECK_FALSE(of_bits(8200));
  CHECK_FALSE(of_bits(65536));
  CHECK_FALSE(rsa_token_key({}, usual).has_value());
  CHECK_FALSE(rsa_token_key(Bytes(256), usual).has_value());  // many bytes, and no bits
  for (const Bytes& exponent : {Bytes(), Bytes{1}, Bytes{3}, Bytes{1, 0, 0}, Bytes(9, 1)}) {
    CHECK_FALSE(rsa_token_key(Bytes(256, 0xff), exponent).has_value());
  }
}

TEST_CASE("p256_token_key: a point of 32 bytes each that is on the curve") {
  const Bytes x = decoded(kEcX);
  Bytes y = decoded(kEcY);
  const ByteView shorter = ByteView(x).first(31);
  CHECK_FALSE(p256_token_key(shorter, y).has_value());
  CHECK_FALSE(p256_token_key(x, shorter).has_value());
  CHECK_FALSE(p256_token_key(Bytes(32), Bytes(32)).has_value());
  y[0] ^= 1;
  CHECK_FALSE(p256_token_key(x, y).has_value());
}

TEST_CASE("token_algorithm_by_name: the two names, and no others") {
  CHECK(token_algorithm_by_name("RS256") == TokenAlgorithm::kRs256);
  CHECK(token_algorithm_by_name("ES256") == TokenAlgorithm::kEs256);
  for (const std::string name : {"none", "HS256", "rs256", "RS512", "PS256", ""}) {
    CHECK_FALSE(token_algorithm_by_name(name).has_value());
  }
}
