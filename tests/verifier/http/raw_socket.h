// A client that says what no library would.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace assay::testing {

class RawSocket {
 public:
  explicit RawSocket(std::uint16_t port);  // of 127.0.0.1; fails the test when nobody listens
  ~RawSocket();
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  void send(std::string_view bytes);
  void close_half();  // sends no more
  // Sends, then looks for an answer for some milliseconds; false once there is one, or an end.
  bool sends_until_answer(std::string_view bytes);
  // Everything that comes until the other side closes, for at most 30 seconds.
  std::string rest();
  std::string ask(std::string_view bytes) {
    send(bytes);
    return rest();
  }

 private:
  const int fd_;
};

}  // namespace assay::testing
