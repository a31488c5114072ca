// What the verifier asks of a node.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "core/pcr.h"

namespace assay {

// TPM2_Quote qualifyingData: 1 to 64 bytes (TPM2B_DATA holds no more than the largest digest). The
// daemon's own are kNonceSize fresh bytes from the operating system's generator.
class Nonce {
 public:
  static std::optional<Nonce> from(ByteView bytes) {
    if (bytes.empty() || bytes.size() > kMaxHashSize) return std::nullopt;
    Nonce out;
    out.size_ = bytes.size();
    std::ranges::copy(bytes, out.bytes_.begin());
    return out;
  }

  ByteView bytes() const { return {bytes_.data(), size_}; }

 private:
  Nonce() = default;
  std::array<std::uint8_t, kMaxHashSize> bytes_{};
  std::size_t size_ = 0;
};

inline constexpr std::size_t kNonceSize = 32;

struct Challenge {
  Nonce nonce;
  PcrSelection selection;       // exactly what the quote has to cover
  std::uint64_t first_entry;    // measurement log entries before this one are proven already
  std::uint64_t first_byte;     // where that entry starts in binary_runtime_measurements
  std::uint64_t max_log_bytes;  // the node sends no more than this
  bool quote_only = false;      // no log at all: the answer is the quote
  std::uint64_t max_boot_log_bytes = 0;  // the firmware's log, up to this size; 0: not wanted
};

// What one attestation covers in `bank`: PCRs 0–15, the ones that last from reset to reset (TCG PC
// Client Platform TPM Profile, 4.6.2). The boot is in 0–9 and, where shim is used, 14; IMA logs to 10
// and to those that rules name with `pcr=`.
PcrSelection default_selection(HashAlg bank);

// What the kernel's boot_aggregate is a digest of, in a bank: PCRs 0–9, of SHA-1 0–7.
//
// Linux security/integrity/ima/ima_crypto.c ima_calc_boot_aggregate_tfm().
PcrSelection boot_aggregate_selection(HashAlg bank);

// What an attestation covers that asks for the boot: default_selection() of `bank`, and of the other
// banks that the TPM keeps what a boot_aggregate may be taken of. Which one that is only the log
// says: the kernel takes the bank of ima_hash= if the TPM has it, else SHA-256's, else SHA-1's
// (ima_calc_boot_aggregate()). These banks are without the IMA PCR, so no log rests on them.
PcrSelection boot_selection(HashAlg bank, std::span<const HashAlg> kept);

}  // namespace assay
