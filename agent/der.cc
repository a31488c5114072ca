#include "agent/der.h"

#include <optional>

namespace assay::agent {
namespace {

constexpr std::uint8_t kSequence = 0x30;

// How long the sequence at the start of `bytes` is, with its head.
std::optional<std::size_t> sequence_size(ByteView bytes) {
  if (bytes.size() < 2 || bytes[0] != kSequence) return std::nullopt;
  const std::uint8_t first = bytes[1];
  if (first < 0x80) return std::size_t{2} + first;
  const std::size_t digits = first & 0x7fU;
  if (digits == 0 || digits > 4 || bytes.size() < 2 + digits) return std::nullopt;
  std::size_t length = 0;
  for (std::size_t i = 0; i < digits; ++i) length = length << 8 | bytes[2 + i];
  return 2 + digits + length;
}

}  // namespace

std::vector<Bytes> split_der(ByteView bytes, const DerLimits& limits) {
  std::vector<Bytes> out;
  while (out.size() < limits.max_count) {
    const auto size = sequence_size(bytes);
    if (!size || *size > bytes.size() || *size > limits.max_bytes) break;
    const ByteView certificate = bytes.first(*size);
    out.emplace_back(certificate.begin(), certificate.end());
    bytes = bytes.subspan(*size);
  }
  return out;
}

}  // namespace assay::agent
