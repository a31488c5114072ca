#include "tests/verifier/http/raw_socket.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace assay::testing {
namespace {

constexpr int kPatienceMs = 30'000;
constexpr int kPauseMs = 20;

bool readable(int fd, int timeout_ms) {
  pollfd watched{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, timeout_ms) > 0;
}

}  // namespace

RawSocket::RawSocket(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

RawSocket::~RawSocket() {
  ::close(fd_);
}

void RawSocket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // what the other side said is in rest()
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void RawSocket::close_half() {
  ::shutdown(fd_, SHUT_WR);
}

bool RawSocket::sends_until_answer(std::string_view bytes) {
  send(bytes);
  return !readable(fd_, kPauseMs);
}

std::string RawSocket::rest() {
  std::string out;
  char part[4096];
  while (readable(fd_, kPatienceMs)) {
    const ssize_t got = ::recv(fd_, part, sizeof part, 0);
    if (got <= 0) return out;
    out.append(part, static_cast<std::size_t>(got));
  }
  FAIL("the other side neither sends nor closes");
  return out;
}

}  // namespace assay::testing
