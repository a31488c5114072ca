#include "golden/md5.h"

#include <doctest/doctest.h>

#include <string_view>

using namespace assay;

TEST_CASE("Md5Hasher: has the digests of RFC 1321, A.5, again and again") {
  REQUIRE(Md5Hasher::available());
  Md5Hasher hasher;
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"", "d41d8cd98f00b204e9800998ecf8427e"},
      {"abc", "900150983cd24fb0d6963f7d28e17f72"},
      {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
  };
  for (const auto& [text, digest] : rows) {
    hasher.start();
    for (const char& c : text) hasher.add(as_bytes({&c, 1}));
    CHECK(to_hex(hasher.finish()) == digest);
  }
}
