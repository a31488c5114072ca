#include "tests/agent/busy_tpm.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

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

BusyTpm::BusyTpm(const Swtpm& tpm, Interference interference)
    : tpm_(tpm),
      interference_(std::move(interference)),
      socket_((dir_ / "tpm").string()),
      commands_(listen_at(socket_)),
      control_(listen_at(socket_ + ".ctrl")),
      thread_([this] { serve(); }) {}

BusyTpm::~BusyTpm() {
  ::shutdown(commands_, SHUT_RDWR);  // ends serve()
  thread_.join();
  ::close(commands_);
  ::close(control_);
}

void BusyTpm::serve() {
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
void BusyTpm::relay(int client, Channel channel) {
  const std::string path = tpm_.tcti().substr(kPrefix.size());
  std::uint8_t buffer[8192];
  ssize_t size = ::read(client, buffer, sizeof buffer);
  if (size <= 0) return;
  if (channel == Channel::kCommands) interfere({buffer, static_cast<std::size_t>(size)});
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

// A command is a tag, its size, and its code, all big-endian (TPM 2.0 Library, Part 1, 18.2).
void BusyTpm::interfere(ByteView command) {
  if (interfered_ == interference_.times || command.size() < 10) return;
  TPM2_CC code = 0;
  for (const std::uint8_t byte : command.subspan(6, 4)) code = code << 8 | byte;
  if (code != interference_.before) return;
  ++interfered_;
  interference_.act();
}

}  // namespace assay::testing
