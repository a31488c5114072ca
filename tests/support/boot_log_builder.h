// Event logs as firmware writes them, and the quotes that go with them, for tests of boot_log.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/boot/boot_log.h"
#include "tests/support/fake_tpm.h"

namespace assay::testing {

inline constexpr std::uint32_t kUnknownAlg = 0x12;  // TPM_ALG_SM3_256

inline Bytes bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

inline void put(Bytes& out, std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

inline void put(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

inline std::uint32_t tpm_id(HashAlg alg) {
  return alg == HashAlg::kSha1 ? 0x4u : 0xau + static_cast<std::uint32_t>(alg);
}

inline PcrIndex pcr_of(std::uint32_t index) {
  return *PcrIndex::from(index);
}

// UEFI_VARIABLE_DATA.
inline Bytes variable(std::string_view name, ByteView data) {
  Bytes out(16, 0x61);
  put(out, name.size(), 8);
  put(out, data.size(), 8);
  for (const char c : name) put(out, static_cast<std::uint8_t>(c), 2);
  put(out, data);
  return out;
}

// UEFI_GPT_DATA with two entries.
inline Bytes gpt() {
  Bytes out = bytes_of("EFI PART");
  out.resize(84);
  put(out, 128, 4);
  put(out, 0, 4);
  put(out, 2, 8);
  out.resize(out.size() + 256, 0x33);
  return out;
}

// Writes event logs as firmware does and keeps the PCRs that go with them, by an arithmetic of its
// own: nothing in here calls the parser or the replay under test.
class LogBuilder {
 public:
  explicit LogBuilder(std::vector<HashAlg> banks, bool unknown_alg = false)
      : banks_(std::move(banks)), unknown_alg_(unknown_alg) {
    Bytes id = bytes_of(std::string_view("Spec ID Event03\0", 16));
    put(id, 0, 4);
    put(id, 0x02000200, 4);
    put(id, banks_.size() + (unknown_alg_ ? 1 : 0), 4);
    if (unknown_alg_) put_alg(id, kUnknownAlg, 32);
    for (const HashAlg bank : banks_) put_alg(id, tpm_id(bank), hash_size(bank));
    put(id, 0, 1);
    legacy_event(0, BootEventType::kNoAction, Bytes(20), id);
    start_pcrs(0);
  }

  // A log of TCG_PCR_EVENTs.
  static LogBuilder legacy() {
    LogBuilder out({HashAlg::kSha1});
    out.bytes_.clear();
    out.is_legacy_ = true;
    return out;
  }

  void start_pcrs(std::uint8_t locality) {
    for (const HashAlg bank : banks_) {
      for (std::uint32_t i = 0; i <= 10; ++i) {
        pcrs_.insert_or_assign(PcrSlot{bank, pcr_of(i)}, Digest::zero(bank));
      }
      Bytes value(hash_size(bank));
      value.back() = locality;
      pcrs_.insert_or_assign(PcrSlot{bank, pcr_of(0)}, *Digest::from(bank, value));
    }
  }

  // An event whose digests are of `hashed`.
  LogBuilder& event(std::uint32_t pcr, BootEventType type, ByteView data, ByteView hashed) {
    if (type != BootEventType::kNoAction) {
      for (const HashAlg bank : banks_) extend_pcr({bank, pcr_of(pcr)}, hashed);
    }
    if (is_legacy_) {
      legacy_event(pcr, type, hash(HashAlg::kSha1, hashed).bytes(), data);
      return *this;
    }
    put(bytes_, pcr, 4);
    put(bytes_, static_cast<std::uint32_t>(type), 4);
    put(bytes_, banks_.size() + (unknown_alg_ ? 1 : 0), 4);
    for (const HashAlg bank : banks_) {
      put(bytes_, tpm_id(bank), 2);
      put(bytes_, hash(bank, hashed).bytes());
    }
    if (unknown_alg_) {
      put(bytes_, kUnknownAlg, 2);
      put(bytes_, Bytes(32, 0xee));
    }
    put(bytes_, data.size(), 4);
    put(bytes_, data);
    return *this;
  }

  LogBuilder& event(std::uint32_t pcr, BootEventType type, ByteView data) {
    return event(pcr, type, data, data);
  }

  const Bytes& bytes() const { return bytes_; }
  const PcrValues& pcrs() const { return pcrs_; }

 private:
  static void put_alg(Bytes& out, std::uint32_t id, std::size_t size) {
    put(out, id, 2);
    put(out, size, 2);
  }

  void legacy_event(std::uint32_t pcr, BootEventType type, ByteView sha1, ByteView data) {
    put(bytes_, pcr, 4);
    put(bytes_, static_cast<std::uint32_t>(type), 4);
    put(bytes_, sha1);
    put(bytes_, data.size(), 4);
    put(bytes_, data);
  }

  void extend_pcr(PcrSlot slot, ByteView hashed) {
    Bytes both;
    const auto it = pcrs_.find(slot);
    put(both, it == pcrs_.end() ? Digest::zero(slot.bank).bytes() : it->second.bytes());
    put(both, hash(slot.bank, hashed).bytes());
    pcrs_.insert_or_assign(slot, hash(slot.bank, both));
  }

  std::vector<HashAlg> banks_;
  bool unknown_alg_;
  bool is_legacy_ = false;
  Bytes bytes_;
  PcrValues pcrs_;
};

inline const std::vector<HashAlg> kSha256Only = {HashAlg::kSha256};

// What a TPM whose PCRs are exactly `values` proves.
inline QuotedPcrs quote_of(const PcrValues& values) {
  FakeTpm tpm;
  tpm.pcrs = values;
  const Nonce nonce = nonce_of(1);
  return verify_quote(tpm.quote(nonce), tpm.ak(), nonce, {.allow_sha1 = true}).value();
}

inline Result<AttestedBootLog> check(ByteView bytes, const QuotedPcrs& quoted) {
  ASSAY_TRY(const UntrustedBootLog log, parse_boot_log(bytes));
  return replay_boot_log(log, quoted);
}

inline Result<AttestedBootLog> check(const LogBuilder& log) {
  return check(log.bytes(), quote_of(log.pcrs()));
}

}  // namespace assay::testing
