#include "tests/agent/busy_kernel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace assay::testing {
namespace {

constexpr std::string_view kPrefix = "swtpm:path=";

sockaddr_un address_of(const std::string& path) {
  sockaddr_un out = {};
  out.sun_family = AF_UNIX;
  std::ranges::copy(path, out.sun_path);
  return out;
}

int listen_at(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, 8) != 0) {
    std::abort();
  }
  return fd;
}

int connect_to(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
  return fd;
}

}  // namespace

BusyKernel::BusyKernel(const Swtpm& tpm, int times)
    : tpm_(tpm),
      times_(times),
      socket_((dir_ / "tpm").string()),
      commands_(listen_at(socket_)),
      control_(listen_at(socket_ + ".ctrl")),
      thread_([this] { serve(); }) {}

BusyKernel::~BusyKernel() {
  ::shutdown(commands_, SHUT_RDWR);  // ends serve()
  thread_.join();
  ::close(commands_);
  ::close(control_);
}

void BusyKernel::serve() {
  for (;;) {
    pollfd fds[] = {{.fd = commands_, .events = POLLIN, .revents = 0},
                    {.fd = control_, .events = POLLIN, .revents = 0}};
    if (::poll(fds, 2, -1) < 0) return;
    const bool command = fds[0].revents != 0;
    const int client = ::accept(command ? commands_ : control_, nullptr, nullptr);
    if (client < 0) return;
    relay(client, command ? Channel::kCommands : Channel::kControl);
    ::close(client);
  }
}

// tpm2-tss writes each command whole, and opens one connection at a time.
void BusyKernel::relay(int client, Channel channel) {
  const std::string path = tpm_.tcti().substr(kPrefix.size());
  std::uint8_t buffer[8192];
  ssize_t size = ::read(client, buffer, sizeof buffer);
  if (size <= 0) return;
  if (channel == Channel::kCommands) meddle({buffer, static_cast<std::size_t>(size)});
  const int server = connect_to(channel == Channel::kCommands ? path : path + ".ctrl");
  if (::write(server, buffer, static_cast<std::size_t>(size)) != size) std::abort();
  for (;;) {
    pollfd fds[] = {{.fd = client, .events = POLLIN, .revents = 0},
                    {.fd = server, .events = POLLIN, .revents = 0}};
    if (::poll(fds, 2, -1) < 0) break;
    const bool from_client = fds[0].revents != 0;
    size = ::read(from_client ? client : server, buffer, sizeof buffer);
    if (size <= 0) break;
    if (::write(from_client ? server : client, buffer, static_cast<std::size_t>(size)) != size)
      break;
  }
  ::close(server);
}

void BusyKernel::meddle(ByteView command) {
  static constexpr std::uint8_t kPcrRead[] = {0x00, 0x00, 0x01, 0x7e};  // TPM_CC_PCR_Read
  if (extended_ == times_ || command.size() < 10 ||
      !std::ranges::equal(command.subspan(6, 4), kPcrRead)) {
    return;
  }
  tpm_.extend(kImaPcr, {Digest::filled(HashAlg::kSha256, 7)});
  ++extended_;
}

}  // namespace assay::testing
