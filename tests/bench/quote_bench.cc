#include "tests/bench/quote_bench.h"

#include <tss2/tss2_mu.h>

#include "core/openssl.h"
#include "core/result.h"
#include "tests/bench/rounds.h"

namespace assay::bench {
namespace {

using testing::AkKind;
using testing::FakeTpm;

constexpr int kQuotes = 2000;  // in one round

// The signature as OpenSSL takes it.
Bytes plain_signature(const UntrustedQuote& quote) {
  TPMT_SIGNATURE signature = {};
  std::size_t offset = 0;
  ASSAY_CHECK(Tss2_MU_TPMT_SIGNATURE_Unmarshal(quote.signature.data(), quote.signature.size(),
                                               &offset, &signature) == TSS2_RC_SUCCESS);
  if (signature.sigAlg == TPM2_ALG_RSASSA) {
    const TPM2B_PUBLIC_KEY_RSA& rsa = signature.signature.rsassa.sig;
    return Bytes(rsa.buffer, rsa.buffer + rsa.size);
  }
  const TPMS_SIGNATURE_ECC& ecc = signature.signature.ecdsa;
  const openssl::EcdsaSig pair(ECDSA_SIG_new());
  ASSAY_CHECK(ECDSA_SIG_set0(pair.get(),
                             BN_bin2bn(ecc.signatureR.buffer, ecc.signatureR.size, nullptr),
                             BN_bin2bn(ecc.signatureS.buffer, ecc.signatureS.size, nullptr)) == 1);
  std::uint8_t* der = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &der);
  ASSAY_CHECK(size > 0);
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

}  // namespace

nlohmann::ordered_json quote_bench(AkKind kind) {
  const FakeTpm tpm(kind);
  const Nonce nonce = testing::nonce_of(1);
  const UntrustedQuote quote = tpm.quote(nonce);
  const AkPublic ak = tpm.ak();
  const Bytes signature = plain_signature(quote);
  const openssl::EvpMdCtx context(EVP_MD_CTX_new());
  const Rates rates = measure(
      kQuotes,
      [&] {
        for (int i = 0; i < kQuotes; ++i)
          ASSAY_CHECK(verify_quote(quote, ak, nonce, {}).has_value());
      },
      [&] {
        for (int i = 0; i < kQuotes; ++i) {
          ASSAY_CHECK(
              EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, tpm.key()) == 1);
          ASSAY_CHECK(EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                                       quote.attest.data(), quote.attest.size()) == 1);
          EVP_MD_CTX_reset(context.get());
        }
      });
  nlohmann::ordered_json out;
  out["bench"] = "quote";
  out["alg"] = kind == AkKind::kP256 ? "p256" : "rsa2048";
  add_rates(rates, out);
  return out;
}

}  // namespace assay::bench
