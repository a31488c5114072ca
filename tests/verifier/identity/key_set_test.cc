#include "verifier/identity/key_set.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"
#include "tests/support/token_signer.h"

using namespace assay;
using namespace assay::testing;

namespace {

Result<KeySet> read(const std::string& keys) {
  return parse_key_set(as_bytes(TokenSigner::key_set(keys)));
}

}  // namespace

TEST_CASE("parse_key_set: keys are found by name, and check what they signed") {
  const TokenSigner rsa = TokenSigner::rsa();
  const TokenSigner ec = TokenSigner::ec();
  const auto set = read(rsa.jwk("a", R"(,"use":"sig","alg":"RS256","x5t":"x","n2":[{"a":1}])") +
                        ',' + ec.jwk("b", R"(,"key_ops":["sign","verify"])"));
  REQUIRE_MESSAGE(set.has_value(), format_fault(set.error()));
  CHECK(set->size() == 2);
  REQUIRE(set->find("a") != nullptr);
  CHECK(set->find("a")->verify(as_bytes("m"), as_bytes(rsa.sign("m"))));
  REQUIRE(set->find("b") != nullptr);
  CHECK(set->find("b")->verify(as_bytes("m"), as_bytes(ec.sign("m"))));
  CHECK(set->find("") == nullptr);
  CHECK(set->find("A") == nullptr);
}

TEST_CASE("parse_key_set: a key that is not for tokens is passed over") {
  const TokenSigner rsa = TokenSigner::rsa();
  const std::string good = TokenSigner::ec().jwk("good");
  std::string unnamed = rsa.jwk("x");
  unnamed.replace(1, std::string(R"("kid":"x",)").size(), "");
  std::string padded = rsa.jwk("x");
  padded.replace(padded.find("AQAB"), 4, "AQAB=");
  const std::pair<std::string, std::string> rows[] = {
      {"for encryption", rsa.jwk("x", R"(,"use":"enc")")},
      {"for another algorithm", rsa.jwk("x", R"(,"alg":"RS512")")},
      {"for key confusion", rsa.jwk("x", R"(,"alg":"HS256")")},
      {"for the other type's algorithm", rsa.jwk("x", R"(,"alg":"ES256")")},
      {"for other operations", rsa.jwk("x", R"(,"key_ops":["encrypt"])")},
      {"for no operation", rsa.jwk("x", R"(,"key_ops":[])")},
      {"too small", TokenSigner::rsa(1024).jwk("x")},
      {"not strict base64url", padded},
      {"symmetric", R"({"kid":"x","kty":"oct","k":"AAAA"})"},
      {"of another curve", R"({"kid":"x","kty":"EC","crv":"P-384","x":"AA","y":"AA"})"},
      {"of a type nobody knows", R"({"kid":"x","kty":"new"})"},
      {"of no type", R"({"kid":"x"})"},
      {"without a number", R"({"kid":"x","kty":"RSA","n":"AQAB"})"},
      {"without a name", unnamed},
      {"of too long a name", rsa.jwk(std::string(kMaxKeyIdBytes + 1, 'x'))},
  };
  for (const auto& [name, key] : rows) {
    CAPTURE(name);
    const auto set = read(key + ',' + good);
    REQUIRE_MESSAGE(set.has_value(), format_fault(set.error()));
    CHECK(set->size() == 1);
    CHECK(set->find("good") != nullptr);
    CHECK(fault_of(read(key)) == FaultId::kIdentityKeysMalformed);  // nothing is left
  }
  // What is passed over takes no name away.
  CHECK(read(rsa.jwk("good", R"(,"use":"enc")") + ',' + good)->size() == 1);
}

TEST_CASE("parse_key_set: what could be read in two ways is refused") {
  const TokenSigner rsa = TokenSigner::rsa();
  const std::string good = rsa.jwk("good");
  std::string many = good;
  for (std::size_t i = 0; i < kMaxKeySetKeys; ++i) many += R"(,{"kty":"new"})";
  const std::pair<std::string, std::string> rows[] = {
      {"empty", ""},
      {"no object", "[]"},
      {"no keys", "{}"},
      {"no list", R"({"keys":{}})"},
      {"no key", R"({"keys":[]})"},
      {"a key that is no object", TokenSigner::key_set(good + ",1")},
      {"two keys of one name", TokenSigner::key_set(good + ',' + TokenSigner::rsa().jwk("good"))},
      {"two of different types", TokenSigner::key_set(good + ',' + TokenSigner::ec().jwk("good"))},
      {"a member twice", TokenSigner::key_set(rsa.jwk("a", R"(,"kid":"b")"))},
      {"a member twice, elsewhere",
       R"({"a":{"b":1,"b":1},)" + TokenSigner::key_set(good).substr(1)},
      {"keys twice", R"({"keys":[],)" + TokenSigner::key_set(good).substr(1)},
      {"a private key", TokenSigner::key_set(rsa.jwk("a", R"(,"d":"AQAB")"))},
      {"a name that is a number", TokenSigner::key_set(good + R"(,{"kid":1,"kty":"RSA"})")},
      {"a use that is a list", TokenSigner::key_set(rsa.jwk("a", R"(,"use":["sig"])"))},
      {"an algorithm that is null", TokenSigner::key_set(rsa.jwk("a", R"(,"alg":null)"))},
      {"operations that are text", TokenSigner::key_set(rsa.jwk("a", R"(,"key_ops":"verify")"))},
      {"too many", TokenSigner::key_set(many)},
      {"more behind it", TokenSigner::key_set(good) + "{}"},
      {"a NUL and more", TokenSigner::key_set(good) + std::string("\0{", 2)},
      {"cut short", TokenSigner::key_set(good).substr(0, 100)},
      {"not UTF-8", TokenSigner::key_set(rsa.jwk("\xff") + ',' + good)},
      {"too large", TokenSigner::key_set(good) + std::string(kMaxKeySetBytes, ' ')},
      {"too deep", R"({"a":)" + std::string(9, '[') + std::string(9, ']') + ',' +
                       TokenSigner::key_set(good).substr(1)},
  };
  for (const auto& [name, text] : rows) {
    CAPTURE(name);
    CHECK(fault_of(parse_key_set(as_bytes(text))) == FaultId::kIdentityKeysMalformed);
  }
}
