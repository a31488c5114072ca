// Digests with their algorithm, and the one operation a PCR has.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.h"

namespace assay {

enum class HashAlg : std::uint8_t { kSha1, kSha256, kSha384, kSha512 };

inline constexpr HashAlg kAllHashAlgs[] = {HashAlg::kSha1, HashAlg::kSha256, HashAlg::kSha384,
                                           HashAlg::kSha512};

constexpr std::size_t hash_size(HashAlg alg) {
  switch (alg) {
    case HashAlg::kSha1:
      return 20;
    case HashAlg::kSha256:
      return 32;
    case HashAlg::kSha384:
      return 48;
    case HashAlg::kSha512:
      return 64;
  }
  return 0;
}

inline constexpr std::size_t kMaxHashSize = 64;

// "sha256": the kernel's, OCI's and our own spelling.
std::string_view hash_name(HashAlg alg);
std::optional<HashAlg> hash_by_name(std::string_view name);

// A digest: always exactly as long as its algorithm says. Small, copyable, no allocation.
class Digest {
 public:
  // All zero bytes: what a PCR below 17 holds after a TPM reset.
  static Digest zero(HashAlg alg) { return filled(alg, 0); }
  // Every byte `value`: 0xff is what the kernel extends for a violation.
  static Digest filled(HashAlg alg, std::uint8_t value) {
    Digest out(alg);
    std::memset(out.bytes_.data(), value, hash_size(alg));
    return out;
  }
  // Nothing when `bytes` is not exactly hash_size(alg) long.
  static std::optional<Digest> from(HashAlg alg, ByteView bytes) {
    if (bytes.size() != hash_size(alg)) return std::nullopt;
    return padded(alg, bytes);
  }
  // `bytes`, at most hash_size(alg) of them, followed by zero bytes.
  static std::optional<Digest> padded(HashAlg alg, ByteView bytes) {
    if (bytes.size() > hash_size(alg)) return std::nullopt;
    std::optional<Digest> out(Digest{alg});
    if (!bytes.empty()) std::memcpy(out->bytes_.data(), bytes.data(), bytes.size());
    return out;
  }

  HashAlg alg() const { return alg_; }
  ByteView bytes() const { return {bytes_.data(), hash_size(alg_)}; }

  // By algorithm, then by bytes.
  friend std::strong_ordering operator<=>(const Digest& a, const Digest& b) {
    const auto by_alg = a.alg_ <=> b.alg_;
    return by_alg != 0 ? by_alg : a.bytes_ <=> b.bytes_;
  }
  friend bool operator==(const Digest& a, const Digest& b) {
    return a.alg_ == b.alg_ && a.bytes_ == b.bytes_;
  }

 private:
  friend class Hasher;
  explicit Digest(HashAlg alg) : alg_(alg) {}
  // The bytes first: a copy then reads in the pieces in which they were written, which a CPU can forward
  // before they have reached its cache. Replay copies several digests for each entry.
  std::array<std::uint8_t, kMaxHashSize> bytes_{};  // zero after hash_size(alg_)
  HashAlg alg_;
};

// "sha256:9f86…"
std::string format_digest(const Digest& digest);
std::optional<Digest> parse_digest(std::string_view text);

// Hashes with one algorithm, reusing its context: make one and use it many times. Owns an OpenSSL
// context. Not safe to share between threads. Ends the process when OpenSSL cannot hash at all.
class Hasher {
 public:
  explicit Hasher(HashAlg alg);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  HashAlg alg() const { return alg_; }

  // The digest of the parts, one after the other.
  Digest operator()(std::initializer_list<ByteView> parts);
  Digest operator()(ByteView data) { return (*this)({data}); }

  // For data that comes in pieces: start(), add() any number of times, finish().
  void start();
  void add(ByteView data);
  Digest finish();

 private:
  HashAlg alg_;
  void* context_;  // EVP_MD_CTX; OpenSSL's types stay out of our headers
};

// The digest of `data`.
Digest hash(HashAlg alg, ByteView data);

// TPM2_PCR_Extend: H(pcr || value), in pcr's bank. TPM 2.0 Library, Part 1, 17.3; Part 3, 22.2.
// `hasher` has pcr's algorithm.
Digest extend(Hasher& hasher, const Digest& pcr, const Digest& value);

}  // namespace assay
