#include "core/enrolment/kdf.h"

#include <doctest/doctest.h>

#include <numeric>

using namespace assay;

// What is wanted was computed with Python's hmac and hashlib, from the formulas in Part 1, 11.4.10.

namespace {

// `size` bytes that count up from `first`.
Bytes run(std::uint8_t first, std::size_t size) {
  Bytes out(size);
  std::iota(out.begin(), out.end(), first);
  return out;
}

}  // namespace

TEST_CASE("kdf_a: keys are what the formula says, shorter and longer than the hash") {
  Bytes name = {0x00, 0x0b};
  const Bytes digest = run(0x40, 32);
  name.insert(name.end(), digest.begin(), digest.end());
  CHECK(to_hex(kdf_a(HashAlg::kSha256, run(0, 32), {.label = "STORAGE", .u = name}, 128)) ==
        "7a58c2079bee13e00ed160d657aecaef");
  CHECK(to_hex(kdf_a(HashAlg::kSha384, run(0, 48), {.label = "INTEGRITY"}, 384)) ==
        "f33d1615c2266b2fa774ff368d6ce3af9d8c0b4227e57eb3e28b810755366e9a668857315ae51d8d7cfac92bb0"
        "485639");
  const Bytes u = run(0x80, 16);
  const Bytes v = run(0xa0, 16);
  CHECK(to_hex(kdf_a(HashAlg::kSha256, run(0, 32), {.label = "ATH", .u = u, .v = v}, 512)) ==
        "e31e0dd2c767241e84f1db2956b55513b21cb1fce29abd0b2b5f3ee6fea94d2b797331af0d20e82e07ae129951"
        "cc6d43cbdce79c384b8d4b7f582d832762124e");
}

TEST_CASE("kdf_e: keys are what the formula says, as long as the hash and longer") {
  const Bytes u = run(0x40, 32);
  const Bytes v = run(0x80, 32);
  CHECK(to_hex(kdf_e(HashAlg::kSha256, run(0, 32), {.label = "IDENTITY", .u = u, .v = v}, 256)) ==
        "a0340f5b67663d0c37b3b2607d17693b167829dfb47db3cb7f1ed9ce140870c8");
  const Bytes long_u = run(0x40, 66);
  const Bytes long_v = run(0x90, 66);
  CHECK(to_hex(kdf_e(HashAlg::kSha512, run(0, 66), {.label = "IDENTITY", .u = long_u, .v = long_v},
                     512)) ==
        "b5302d9b49853a485f60a7fa566d5f4d9a2bf4554fe4a63df25ee8fe54207617f17f61d433c452f23fa352bcc3"
        "95a338f85b21610a3ce1b158d1fb4dde6adb01");
  CHECK(to_hex(kdf_e(HashAlg::kSha256, run(0, 32), {.label = "SECRET"}, 384)) ==
        "7e1590d039bad016465becacff2ad1372df452dc4378cfeae1f4e5d4c8da90a95c8f42f427fa6a9deb4fe2adaf"
        "05a378");
}
