#include "agent/der.h"

#include <doctest/doctest.h>

namespace assay::agent {
namespace {

constexpr DerLimits kLimits{.max_count = 3, .max_bytes = 300};

Bytes sequence(std::size_t size) {
  Bytes out = {0x30};
  if (size < 0x80) {
    out.push_back(static_cast<std::uint8_t>(size));
  } else {
    out.insert(out.end(), {0x82, static_cast<std::uint8_t>(size >> 8),
                           static_cast<std::uint8_t>(size & 0xff)});
  }
  out.resize(out.size() + size, 7);
  return out;
}

Bytes joined(const std::vector<Bytes>& parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

TEST_CASE("split_der: sequences one after the other, short and long") {
  const std::vector<Bytes> parts = {sequence(3), sequence(200), sequence(0)};
  CHECK(split_der(joined(parts), kLimits) == parts);
  CHECK(split_der({}, kLimits).empty());
}

TEST_CASE("split_der: what is no whole sequence, or over a limit, ends it") {
  const Bytes good = sequence(5);
  const std::vector<Bytes> one = {good};
  CHECK(split_der(joined({good, Bytes(20)}), kLimits) == one);
  CHECK(split_der(joined({good, Bytes(20, 0xff)}), kLimits) == one);
  CHECK(split_der(joined({good, {0x30}}), kLimits) == one);
  CHECK(split_der(joined({good, {0x30, 0x80}}), kLimits) == one);
  CHECK(split_der(joined({good, {0x30, 0x82, 0x01}}), kLimits) == one);
  CHECK(split_der(joined({good, {0x30, 0x88, 1, 1, 1, 1, 1, 1, 1, 1}}), kLimits) == one);
  CHECK(split_der(joined({good, {0x30, 0x05, 1}}), kLimits) == one);
  CHECK(split_der(joined({good, sequence(301)}), kLimits) == one);
  CHECK(split_der(joined({good, good, good, good}), kLimits).size() == 3);
}

}  // namespace
}  // namespace assay::agent
