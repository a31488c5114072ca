// Reading bytes we do not trust.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

enum class ByteOrder : std::uint8_t { kLittle, kBig };

// The same memory seen as characters, and back. No copy; the result borrows from the argument.
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
ByteView as_bytes(std::string_view text);

// Lower-case hex without a prefix.
std::string to_hex(ByteView bytes);

// Bytes from an even number of hex digits of either case; nothing for any other text.
std::optional<Bytes> from_hex(std::string_view text);

// Standard base64 (RFC 4648 section 4) with padding.
std::string to_base64(ByteView bytes);

// Bytes from padded standard base64 without line breaks; nothing for any other text.
std::optional<Bytes> from_base64(std::string_view text);

// Bytes from base64url without padding (RFC 7515, 2); nothing for any other text, nor for one whose last
// digit has bits that no byte needs: each value has one spelling.
std::optional<Bytes> from_base64url(std::string_view text);

// Compares secrets in a time that depends only on the sizes.
bool equal_secrets(ByteView a, ByteView b);

// A cursor over untrusted bytes. The first read past the end makes the reader fail for good: that
// read and every later one return zero or an empty view, so a parser reads a whole record and
// checks ok() once. Views returned by take() borrow from the input.
class ByteReader {
 public:
  explicit ByteReader(ByteView input) : rest_(input), size_(input.size()) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  std::size_t offset() const { return size_ - rest_.size(); }
  ByteView rest() const { return rest_; }

  ByteView take(std::size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const ByteView out = rest_.first(size);
    rest_ = rest_.subspan(size);
    return out;
  }

  std::uint8_t u8() { return static_cast<std::uint8_t>(little_endian(1)); }
  std::uint16_t u16_le() { return static_cast<std::uint16_t>(little_endian(2)); }
  std::uint32_t u32_le() {  // one load: logs are full of them
    const ByteView b = take(4);
    if (b.size() < 4) return 0;
    return static_cast<std::uint32_t>(b[0]) | static_cast<std::uint32_t>(b[1]) << 8 |
           static_cast<std::uint32_t>(b[2]) << 16 | static_cast<std::uint32_t>(b[3]) << 24;
  }
  std::uint16_t u16(ByteOrder order) {
    const std::uint16_t value = u16_le();
    return order == ByteOrder::kLittle ? value : __builtin_bswap16(value);
  }
  std::uint32_t u32(ByteOrder order) {
    const std::uint32_t value = u32_le();
    return order == ByteOrder::kLittle ? value : __builtin_bswap32(value);
  }
  std::uint64_t u64_le() { return little_endian(8); }

 private:
  std::uint64_t little_endian(std::size_t size) {
    std::uint64_t out = 0;
    const ByteView b = take(size);
    for (std::size_t i = b.size(); i-- > 0;) out = out << 8 | b[i];
    return out;
  }

  ByteView rest_;
  std::size_t size_;
  bool ok_ = true;
};

}  // namespace assay
