// One connection of the HTTP port: TLS or plain, with an end in sight.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "core/result.h"
#include "verifier/clock.h"

namespace assay {

// The certificate and key of TLS connections. Safe from any thread.
class TlsIdentity {
 public:
  // PEM: a chain, leaf first, and its key. kConfigInvalid for what is neither, or does not belong together.
  // Clients are asked for certificates of `client_authorities`, PEM, and need not have one; empty: nobody is.
  static Result<TlsIdentity> load(const std::string& certificate, const std::string& key,
                                  const std::string& client_authorities = {});
  TlsIdentity(TlsIdentity&&) noexcept;
  ~TlsIdentity();

 private:
  friend class Connection;
  struct Context;
  explicit TlsIdentity(std::unique_ptr<Context> context);
  std::unique_ptr<Context> context_;
};

// Whether `address` is of this machine alone: 127.0.0.0/8, also written as IPv6 (RFC 4291, 2.5.5.2), or
// ::1. Total and pure.
bool is_loopback(const sockaddr_storage& address);

// How much of each part of an exchange a peer gets. Times are for the whole part: a byte now and then
// prolongs none.
struct ConnectionLimits {
  std::size_t head_bytes = std::size_t{32} << 10;
  std::chrono::milliseconds head{10'000};   // TLS handshake, request line and headers
  std::chrono::milliseconds pause{30'000};  // between two reads or writes
  std::chrono::milliseconds answer{60'000};
  std::chrono::milliseconds goodbye{2'000};  // for the peer to close, once it has its answer
};

// Of one thread. Everything that is read is untrusted.
class Connection {
 public:
  struct World {
    const TlsIdentity& identity;
    const Clock& clock;
    const ConnectionLimits& limits;
    int stop;  // a descriptor that becomes readable when everything has to end
  };
  // Takes over `socket`, which is accepted; closes it.
  Connection(int socket, const World& world);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Shakes hands when the peer begins as TLS clients do. Whether there is somebody to read from.
  bool open();

  // Whether what is said here stays between the two: TLS, or both ends on this machine.
  bool is_private() const;

  // The certificates that the client has shown, PEM, its own first, or nothing: whoever uses them verifies
  // them. TLS has proven that the client has the key of its own.
  std::string client_chain() const;

  // Lets a request's body be read, of at most so many bytes, up to a moment of Clock::monotonic().
  void allow_body(std::size_t bytes, std::chrono::nanoseconds until);

  // As read(2) and write(2), at least one byte; -1 also when a limit is reached.
  ssize_t read(char* out, std::size_t size);
  ssize_t write(const char* data, std::size_t size);

  bool ran_out_of_time() const { return late_; }
  bool ran_out_of_bytes() const { return too_much_; }

 private:
  struct Tls;
  bool wait(short events);
  bool wait_for_tls(int result);
  void hang_up();

  const int socket_;
  const World world_;
  std::unique_ptr<Tls> tls_;
  std::chrono::nanoseconds until_;
  std::size_t bytes_left_;
  bool answering_ = false;
  bool late_ = false;
  bool too_much_ = false;
};

}  // namespace assay
