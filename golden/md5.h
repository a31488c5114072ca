// MD5, for dpkg's sums alone: it finds files that were changed without malice, and vouches for none.
#pragma once

#include <array>
#include <cstdint>

#include "core/bytes.h"

namespace assay {

using Md5 = std::array<std::uint8_t, 16>;

// Owns an OpenSSL context: make one and use it many times, from one thread at a time.
class Md5Hasher {
 public:
  // Whether OpenSSL, as this machine is set up, has MD5. Without it there is to be no Md5Hasher.
  static bool available();

  Md5Hasher();
  ~Md5Hasher();
  Md5Hasher(Md5Hasher&&) noexcept;
  Md5Hasher& operator=(Md5Hasher&&) noexcept;

  // start(), add() any number of times, finish().
  void start();
  void add(ByteView data);
  Md5 finish();

 private:
  void* context_;  // EVP_MD_CTX
};

}  // namespace assay
