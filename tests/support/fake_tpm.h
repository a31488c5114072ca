// A TPM that fits in a test: a key, PCRs in any bank, real structures and real signatures.
#pragma once

#include <tss2/tss2_tpm2_types.h>

#include <functional>

#include "core/openssl.h"
#include "core/tpm_quote.h"

namespace assay::testing {

enum class AkKind : std::uint8_t { kP256, kRsa2048 };  // ECDSA and RSASSA, with SHA-256

class FakeTpm {
 public:
  explicit FakeTpm(AkKind kind = AkKind::kP256);

  // The key as TPM2B_PUBLIC, with attributes edited by `tamper` before it is marshalled.
  Bytes ak_public(const std::function<void(TPMT_PUBLIC&)>& tamper = {}) const;
  AkPublic ak() const;
  Bytes ak_pem() const;
  EVP_PKEY* key() const { return key_.get(); }

  static PcrValues fresh_pcrs();  // sha256 PCRs 0–15, all zero

  PcrValues pcrs = fresh_pcrs();
  TpmClock clock{.clock_ms = 1000, .reset_count = 7, .safe = true, .firmware_version = 42};

  // Takes over the PCRs that a log has extended.
  void set(const PcrValues& values) {
    for (const auto& [slot, value] : values) pcrs.insert_or_assign(slot, value);
  }

  // TPM2_Quote over all of `pcrs`. `tamper` may edit the TPMS_ATTEST before it is signed.
  UntrustedQuote quote(const Nonce& nonce,
                       const std::function<void(TPMS_ATTEST&)>& tamper = {}) const;

  // The AK's signature over any bytes at all: what a key that is not TPM-bound could do.
  UntrustedQuote sign_bytes(Bytes attest) const;

 private:
  AkKind kind_;
  openssl::EvpPkey key_;
};

// A nonce of 32 equal bytes.
Nonce nonce_of(std::uint8_t value);

}  // namespace assay::testing
