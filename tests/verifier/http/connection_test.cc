#include "verifier/http/connection.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include "tests/support/fake_clock.h"
#include "tests/support/test_ca.h"

using namespace assay;
using namespace assay::testing;

namespace {

sockaddr_storage address_of(const std::string& text) {
  sockaddr_storage out = {};
  sockaddr_in v4 = {};
  sockaddr_in6 v6 = {};
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    std::memcpy(&out, &v4, sizeof v4);
  } else {
    REQUIRE(::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1);
    v6.sin6_family = AF_INET6;
    std::memcpy(&out, &v6, sizeof v6);
  }
  return out;
}

}  // namespace

TEST_CASE("is_loopback: this machine alone, in either family") {
  for (const char* ours : {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"}) {
    CAPTURE(ours);
    CHECK(is_loopback(address_of(ours)));
  }
  for (const char* others : {"128.0.0.1", "126.0.0.1", "10.0.0.1", "0.0.0.0", "::", "::2",
                             "fe80::1", "::ffff:10.0.0.1", "7f00::1"}) {
    CAPTURE(others);
    CHECK_FALSE(is_loopback(address_of(others)));
  }
  CHECK_FALSE(is_loopback(sockaddr_storage{}));
}

TEST_CASE("Connection: bytes that come without a pause are late all the same") {
  std::array<int, 2> ends = {};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  std::array<int, 2> stop = {};
  REQUIRE(::pipe(stop.data()) == 0);
  const TestCa ca;
  const TestCa::Identity server = ca.issue("DNS:localhost");
  const TlsIdentity identity = *TlsIdentity::load(server.certificate_pem, server.key_pem);
  FakeClock clock;
  const ConnectionLimits limits;
  {
    Connection connection(ends[0], {identity, clock, limits, stop[0]});
    REQUIRE(::send(ends[1], "GET ", 4, 0) == 4);
    REQUIRE(connection.open());
    std::array<char, 2> out = {};
    CHECK(connection.read(out.data(), out.size()) == 2);
    CHECK_FALSE(connection.ran_out_of_time());
    clock.advance(limits.head + std::chrono::milliseconds(1));
    CHECK(connection.read(out.data(), out.size()) == -1);
    CHECK(connection.ran_out_of_time());
  }
  for (const int fd : {ends[1], stop[0], stop[1]}) ::close(fd);
}
