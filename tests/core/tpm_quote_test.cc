#include "core/tpm_quote.h"

#include <doctest/doctest.h>

#include <functional>

#include "tests/support/evidence_case.h"
#include "tests/support/fake_tpm.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

const Nonce kNonce = nonce_of(1);

UntrustedQuote edited(const FakeTpm& tpm, const std::function<void(UntrustedQuote&)>& edit) {
  UntrustedQuote quote = tpm.quote(kNonce);
  edit(quote);
  return quote;
}

Bytes case_file(std::string_view stem, std::string_view suffix) {
  return read_test_data("evidence/l-aks/" + std::string(stem) + std::string(suffix));
}

// A quote of case l-aks by one of its other keys.
Result<QuotedPcrs> verify_l_aks(std::string_view stem, ByteView key, QuotePolicy policy = {}) {
  const EvidenceCase evidence = load_case("l-aks");
  const UntrustedQuote quote{case_file(stem, ".msg"), case_file(stem, ".sig"), evidence.pcrs};
  const Result<AkPublic> ak = parse_ak_public(key);
  if (!ak) return tl::unexpected<Fault>(ak.error());
  return verify_quote(quote, *ak, evidence.nonce, policy);
}

}  // namespace

TEST_CASE("verify_quote: a fresh quote yields the PCR values it signs, and the TPM's clock") {
  FakeTpm tpm;
  tpm.pcrs.insert_or_assign({HashAlg::kSha256, kImaPcr}, digest_of("x"));
  const auto got = verify_quote(tpm.quote(kNonce), tpm.ak(), kNonce, {});
  REQUIRE(got.has_value());
  CHECK(got->values() == tpm.pcrs);
  CHECK(got->clock().reset_count == 7);
  CHECK(got->clock().clock_ms == 1000);
  CHECK(got->clock().safe);
  CHECK(got->primary_bank() == HashAlg::kSha256);
}

TEST_CASE("verify_quote: everything that is not the TPM's answer is refused for its own reason") {
  const FakeTpm tpm;
  const FakeTpm stranger;
  FakeTpm without_ima;
  without_ima.pcrs.erase({HashAlg::kSha256, kImaPcr});
  FakeTpm sha1_only;
  sha1_only.pcrs = {{{HashAlg::kSha1, kImaPcr}, Digest::zero(HashAlg::kSha1)}};
  FakeTpm no_pcrs;
  no_pcrs.pcrs.clear();
  struct Row {
    std::string name;
    const FakeTpm& signer;
    UntrustedQuote quote;
    FaultId want;
  };
  const Row rows[] = {
      {"an oversized attest", tpm, edited(tpm, [](auto& q) { q.attest.resize(1025); }),
       FaultId::kQuoteTooLarge},
      {"an oversized signature", tpm, edited(tpm, [](auto& q) { q.signature.resize(2049); }),
       FaultId::kQuoteTooLarge},
      {"an empty signature", tpm, edited(tpm, [](auto& q) { q.signature.clear(); }),
       FaultId::kQuoteMalformed},
      {"bytes after the signature", tpm, edited(tpm, [](auto& q) { q.signature.push_back(0); }),
       FaultId::kQuoteMalformed},
      {"an unknown signature scheme", tpm,
       edited(tpm, [](auto& q) { q.signature = {0, 0x1a, 0, 0x0b, 0, 0, 0, 0}; }),
       FaultId::kQuoteUnsupported},
      {"a null signature", tpm,
       edited(tpm,
              [](auto& q) {
                q.signature = {0, 0x10};
              }),
       FaultId::kQuoteUnsupported},
      {"a hash that is not the key's", tpm, edited(tpm, [](auto& q) { q.signature[3] = 0x0c; }),
       FaultId::kQuoteSchemeMismatch},
      {"RSA for an ECC key", tpm,
       edited(tpm, [](auto& q) { q.signature = {0, 0x14, 0, 0x0b, 0, 1, 7}; }),
       FaultId::kQuoteSchemeMismatch},
      {"another machine's quote", tpm, stranger.quote(kNonce), FaultId::kQuoteBadSignature},
      {"an attest changed after signing", tpm, edited(tpm, [](auto& q) { q.attest.back() ^= 1; }),
       FaultId::kQuoteBadSignature},
      {"a zero signature", tpm,
       edited(tpm,
              [](auto& q) {
                std::fill(q.signature.begin() + 6, q.signature.begin() + 38, std::uint8_t{0});
              }),
       FaultId::kQuoteBadSignature},
      {"signed data that no TPM generated", tpm, tpm.sign_bytes(Bytes(64)),
       FaultId::kQuoteNotAQuote},
      {"signed data shorter than a magic", tpm, tpm.sign_bytes(Bytes(3)), FaultId::kQuoteNotAQuote},
      {"signed bytes after the attest", tpm, tpm.sign_bytes([&] {
         Bytes b = tpm.quote(kNonce).attest;
         b.push_back(0);
         return b;
       }()),
       FaultId::kQuoteMalformed},
      {"a TPM2_GetTime attest", tpm,
       tpm.quote(kNonce, [](auto& a) { a.type = TPM2_ST_ATTEST_TIME; }), FaultId::kQuoteNotAQuote},
      {"a replayed quote", tpm, tpm.quote(nonce_of(9)), FaultId::kQuoteNonceMismatch},
      {"a quote without nonce", tpm, tpm.quote(kNonce, [](auto& a) { a.extraData.size = 0; }),
       FaultId::kQuoteNonceMismatch},
      {"a nonce that is a prefix of ours", tpm,
       tpm.quote(kNonce, [](auto& a) { a.extraData.size = 31; }), FaultId::kQuoteNonceMismatch},
      {"a bank that is not known", tpm,
       tpm.quote(
           kNonce,
           [](auto& a) { a.attested.quote.pcrSelect.pcrSelections[0].hash = TPM2_ALG_SM3_256; }),
       FaultId::kQuoteUnsupported},
      {"a PCR over 23", tpm,
       tpm.quote(kNonce,
                 [](auto& a) {
                   auto& s = a.attested.quote.pcrSelect.pcrSelections[0];
                   s.sizeofSelect = 4;
                   s.pcrSelect[3] = 1;
                 }),
       FaultId::kQuoteUnsupported},
      {"a bank selected twice", tpm,
       tpm.quote(kNonce,
                 [](auto& a) {
                   auto& l = a.attested.quote.pcrSelect;
                   l.pcrSelections[l.count++] = l.pcrSelections[0];
                 }),
       FaultId::kQuoteSelectionMismatch},
      {"a value for a PCR that is not quoted", tpm,
       edited(tpm,
              [](auto& q) {
                q.pcrs.emplace(PcrSlot{HashAlg::kSha256, PcrIndex::of<16>()}, digest_of("x"));
              }),
       FaultId::kQuoteSelectionMismatch},
      {"a quoted PCR without a value", tpm,
       edited(tpm,
              [](auto& q) {
                q.pcrs.erase({HashAlg::kSha256, PcrIndex::of<3>()});
              }),
       FaultId::kQuoteSelectionMismatch},
      {"a value of another PCR in its place", tpm,
       edited(tpm,
              [](auto& q) {
                q.pcrs.erase({HashAlg::kSha256, PcrIndex::of<3>()});
                q.pcrs.emplace(PcrSlot{HashAlg::kSha256, PcrIndex::of<11>()}, digest_of("x"));
              }),
       FaultId::kQuoteSelectionMismatch},
      {"another value than the signed one", tpm,
       edited(tpm,
              [](auto& q) {
                q.pcrs.insert_or_assign({HashAlg::kSha256, kImaPcr}, digest_of("x"));
              }),
       FaultId::kQuotePcrDigestMismatch},
      {"no PCR digest", tpm,
       tpm.quote(kNonce, [](auto& a) { a.attested.quote.pcrDigest.size = 0; }),
       FaultId::kQuotePcrDigestMismatch},
      {"a quote without the IMA PCR", without_ima, without_ima.quote(kNonce),
       FaultId::kQuoteImaPcrMissing},
      {"a quote over no PCRs", no_pcrs, no_pcrs.quote(kNonce), FaultId::kQuoteImaPcrMissing},
      {"the IMA PCR in the SHA-1 bank only", sha1_only, sha1_only.quote(kNonce),
       FaultId::kQuoteSha1Refused},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto got = verify_quote(row.quote, row.signer.ak(), kNonce, {});
    REQUIRE_FALSE(got.has_value());
    CHECK(fault_name(got.error().id) == fault_name(row.want));
  }
}

TEST_CASE("verify_quote: a SHA-1 bank counts where the policy allows it") {
  FakeTpm tpm;
  tpm.pcrs = {{{HashAlg::kSha1, kImaPcr}, Digest::zero(HashAlg::kSha1)}};
  const auto got = verify_quote(tpm.quote(kNonce), tpm.ak(), kNonce, {.allow_sha1 = true});
  REQUIRE(got.has_value());
  CHECK(got->primary_bank() == HashAlg::kSha1);
}

TEST_CASE("verify_quote: every scheme of a real TPM verifies under its own key") {
  for (const std::string stem :
       {"rsa2048-rsassa-sha256", "rsa2048-rsapss-sha256", "rsa2048-rsassa-sha384",
        "rsa3072-rsassa-sha256", "rsa3072-rsapss-sha384", "ecc256-ecdsa-sha256",
        "ecc384-ecdsa-sha384"}) {
    CAPTURE(stem);
    CHECK(verify_l_aks(stem, case_file(stem, ".ak.pub")).has_value());
    CHECK(verify_l_aks(stem, case_file(stem, ".ak.pem")).has_value());
  }
}

TEST_CASE("verify_quote: a SHA-1 signature of a real TPM is refused unless allowed") {
  const Bytes key = case_file("rsa2048-rsassa-sha1", ".ak.pub");
  const auto refused = verify_l_aks("rsa2048-rsassa-sha1", key);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().id == FaultId::kQuoteSha1Refused);
  CHECK(verify_l_aks("rsa2048-rsassa-sha1", key, {.allow_sha1 = true}).has_value());
}

TEST_CASE("verify_quote: an RSASSA signature is not an RSAPSS one, whatever it is labelled") {
  const EvidenceCase evidence = load_case("l-aks");
  UntrustedQuote quote{case_file("rsa2048-rsassa-sha256", ".msg"),
                       case_file("rsa2048-rsassa-sha256", ".sig"), evidence.pcrs};
  quote.signature[1] = 0x16;
  const auto by_key = verify_quote(
      quote, *parse_ak_public(case_file("rsa2048-rsassa-sha256", ".ak.pub")), evidence.nonce, {});
  REQUIRE_FALSE(by_key.has_value());
  CHECK(by_key.error().id == FaultId::kQuoteSchemeMismatch);
  const auto by_pem = verify_quote(
      quote, *parse_ak_public(case_file("rsa2048-rsassa-sha256", ".ak.pem")), evidence.nonce, {});
  REQUIRE_FALSE(by_pem.has_value());
  CHECK(by_pem.error().id == FaultId::kQuoteBadSignature);
}

TEST_CASE("verify_quote: every truncation and every flipped bit of a real quote is refused") {
  const EvidenceCase evidence = load_case("k-reboot-1");
  const AkPublic ak = *parse_ak_public(evidence.ak_public);
  REQUIRE(verify_quote(evidence.quote(), ak, evidence.nonce, {}).has_value());
  for (Bytes UntrustedQuote::*part : {&UntrustedQuote::attest, &UntrustedQuote::signature}) {
    const std::size_t size = (evidence.quote().*part).size();
    for (std::size_t i = 0; i < size; ++i) {
      UntrustedQuote cut = evidence.quote();
      (cut.*part).resize(i);
      CHECK_FALSE(verify_quote(cut, ak, evidence.nonce, {}).has_value());
      for (int bit = 0; bit < 8; ++bit) {
        UntrustedQuote flipped = evidence.quote();
        (flipped.*part)[i] = static_cast<std::uint8_t>((flipped.*part)[i] ^ 1 << bit);
        CHECK_FALSE(verify_quote(flipped, ak, evidence.nonce, {}).has_value());
      }
    }
  }
}

TEST_CASE("parse_ak_public: a TPM2B_PUBLIC and a PEM of one key have one fingerprint") {
  const FakeTpm tpm;
  const auto pem = parse_ak_public(tpm.ak_pem());
  REQUIRE(pem.has_value());
  CHECK(pem->fingerprint() == tpm.ak().fingerprint());
  CHECK(tpm.ak().tpm_bound());
  CHECK_FALSE(pem->tpm_bound());
}

TEST_CASE(
    "parse_ak_public: a key that could sign anything, or is no key, is refused for its own "
    "reason") {
  const FakeTpm tpm;
  const auto without = [&](TPMA_OBJECT attribute) {
    return tpm.ak_public([&](auto& area) { area.objectAttributes &= ~attribute; });
  };
  const auto with_bytes_after = [](Bytes bytes) {
    bytes.push_back(0);
    return bytes;
  };
  struct Row {
    std::string name;
    Bytes key;
    FaultId want;
  };
  const Row rows[] = {
      {"nothing", {}, FaultId::kAkMalformed},
      {"over 4 KiB", Bytes(4097), FaultId::kAkMalformed},
      {"a byte after the TPM2B_PUBLIC", with_bytes_after(tpm.ak_public()), FaultId::kAkMalformed},
      {"a byte after the PEM", with_bytes_after(tpm.ak_pem()), FaultId::kAkMalformed},
      {"a PEM that is cut",
       [&] {
         Bytes b = tpm.ak_pem();
         b.resize(60);
         return b;
       }(),
       FaultId::kAkMalformed},
      {"a point that is not on the curve",
       tpm.ak_public([](auto& a) { a.unique.ecc.x.buffer[0] ^= 1; }), FaultId::kAkMalformed},
      {"a curve that is not accepted",
       tpm.ak_public([](auto& a) { a.parameters.eccDetail.curveID = TPM2_ECC_NIST_P224; }),
       FaultId::kAkUnsupported},
      {"no fixed scheme",
       tpm.ak_public([](auto& a) { a.parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL; }),
       FaultId::kAkUnsupported},
      {"ECDAA",
       tpm.ak_public([](auto& a) { a.parameters.eccDetail.scheme.scheme = TPM2_ALG_ECDAA; }),
       FaultId::kAkUnsupported},
      {"not restricted", without(TPMA_OBJECT_RESTRICTED), FaultId::kAkAttributes},
      {"not a signing key", without(TPMA_OBJECT_SIGN_ENCRYPT), FaultId::kAkAttributes},
      {"not bound to its TPM", without(TPMA_OBJECT_FIXEDTPM), FaultId::kAkAttributes},
      {"not bound to its parent", without(TPMA_OBJECT_FIXEDPARENT), FaultId::kAkAttributes},
      {"made outside the TPM", without(TPMA_OBJECT_SENSITIVEDATAORIGIN), FaultId::kAkAttributes},
      {"may decrypt", tpm.ak_public([](auto& a) { a.objectAttributes |= TPMA_OBJECT_DECRYPT; }),
       FaultId::kAkAttributes},
      {"a real TPM's unrestricted key", case_file("unrestricted", ".ak.pub"),
       FaultId::kAkAttributes},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto got = parse_ak_public(row.key);
    REQUIRE_FALSE(got.has_value());
    CHECK(fault_name(got.error().id) == fault_name(row.want));
  }
}

TEST_CASE("parse_ak_public: every proper prefix of a key is refused") {
  const Bytes key = load_case("k-reboot-1").ak_public;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const auto got = parse_ak_public(ByteView(key).first(i));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == FaultId::kAkMalformed);
  }
}
