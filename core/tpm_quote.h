// TPM 2.0 quotes: from bytes a node sent to PCR values we may rely on.
#pragma once

#include <cstdint>

#include "core/ak_public.h"
#include "core/challenge.h"
#include "core/pcr.h"
#include "core/result.h"

namespace assay {

// A quote as the node sent it. Nothing in here has been checked.
struct UntrustedQuote {
  Bytes attest;     // TPMS_ATTEST, big-endian, at most 1 KiB
  Bytes signature;  // TPMT_SIGNATURE, big-endian, at most 2 KiB
  PcrValues pcrs;   // what the node says its PCRs hold
};

// What the TPM signs beside the PCRs. TPM 2.0 Library, Part 2, 10.11.1 TPMS_CLOCK_INFO.
// The counts are exact only as differences under one key: a TPM adds a constant of its own to them
// for keys outside the endorsement and platform hierarchies (Part 1, 36.7).
struct TpmClock {
  std::uint64_t clock_ms = 0;
  std::uint32_t reset_count = 0;    // TPM resets: one at every boot
  std::uint32_t restart_count = 0;  // suspend and resume, since the last reset
  bool safe = false;                // `clock_ms` was not reported higher before an unorderly reset
  std::uint64_t firmware_version = 0;
};

// What the caller allows a quote to be.
struct QuotePolicy {
  bool allow_sha1 = false;  // SHA-1 signatures, and a SHA-1 bank as the only one with the IMA PCR
};

// PCR values a TPM signed for our nonce. Only verify_quote() makes one: to hold a QuotedPcrs is to
// hold the proof, so no function downstream needs a `bool verified`.
class QuotedPcrs {
 public:
  const PcrValues& values() const { return values_; }
  const TpmClock& clock() const { return clock_; }

  // The bank that log replay rests on: the strongest-supported quoted bank with the IMA PCR, in the
  // order sha256, sha384, sha512, sha1.
  HashAlg primary_bank() const { return primary_bank_; }

  // The signed value of a PCR, or null when the quote does not cover it.
  const Digest* find(PcrSlot slot) const {
    const auto it = values_.find(slot);
    return it == values_.end() ? nullptr : &it->second;
  }

  PcrSelection selection() const;

  // The same proof, of one bank alone.
  QuotedPcrs only(HashAlg bank) const;

 private:
  friend Result<QuotedPcrs> verify_quote(const UntrustedQuote&, const AkPublic&, const Nonce&,
                                         const QuotePolicy&);
  QuotedPcrs(PcrValues values, TpmClock clock, HashAlg primary_bank)
      : values_(std::move(values)), clock_(clock), primary_bank_(primary_bank) {}
  PcrValues values_;
  TpmClock clock_;
  HashAlg primary_bank_;
};

// Checks that `quote` is a TPM's answer to `nonce` under `ak`, and that `quote.pcrs` are the values
// it signed.
//
//   quote    untrusted; oversized parts are refused before anything is parsed
//   ak       fixes scheme and hash when it is a TPM2B_PUBLIC; a PEM key fixes RSA or ECDSA only, and
//            the signature is then checked by exactly the scheme that it names
//   nonce    what we sent for this attempt; the caller has never used it before
//
// Returns the PCR values, exactly the set the quote selects (no more, no fewer).
//
// Fails with, in the order checked:
//   kQuoteTooLarge           attest over 1 KiB or signature over 2 KiB
//   kQuoteMalformed          either does not unmarshal, or has bytes left over
//   kQuoteUnsupported        scheme is not RSASSA, RSAPSS or ECDSA with SHA-1 or SHA-2
//   kQuoteSchemeMismatch     signature's scheme or hash is not the key's
//   kQuoteSha1Refused        signature over SHA-1, and policy does not allow it
//   kQuoteBadSignature       signature does not verify
//   kQuoteNotAQuote          magic is not TPM_GENERATED_VALUE, or type is not TPM_ST_ATTEST_QUOTE
//   kQuoteNonceMismatch      extraData differs from `nonce`
//   kQuoteUnsupported        a selected bank is not SHA-1 or SHA-2
//   kQuoteSelectionMismatch  a bank is selected twice, or quote.pcrs is not the selected set
//   kQuotePcrDigestMismatch  the values' digest is not pcrDigest
//   kQuoteImaPcrMissing      the IMA PCR is in no quoted bank
//   kQuoteSha1Refused        it is in the SHA-1 bank only, and policy does not allow that
//
// Does not check that `ak` lives in this node's TPM (enrolment did), nor what the PCR values mean.
// Pure: no I/O, no clock, no log, no globals; safe from any thread.
//
// TPM 2.0 Library, Part 2: TPMS_ATTEST (10.12.12), TPMS_QUOTE_INFO (10.12.4), TPML_PCR_SELECTION
// (10.9.7), TPMT_SIGNATURE (11.3.4). Part 3: TPM2_Quote (18.4); pcrDigest is taken with the
// signing scheme's hash over the values in selection order, ascending within a bank.
Result<QuotedPcrs> verify_quote(const UntrustedQuote& quote, const AkPublic& ak, const Nonce& nonce,
                                const QuotePolicy& policy);

}  // namespace assay
