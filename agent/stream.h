// One call of AgentService.Attest: the thin part that knows gRPC.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "agent/codec.h"
#include "agent/wakeup.h"

namespace assay::agent {

struct Endpoint {
  std::string verifier;     // host:port
  std::string ca_pem;       // what the verifier's certificate has to lead to
  std::string server_name;  // expected in it; empty: the host of `verifier`
};

struct Written {};  // the last write() is on its way
struct Closed {
  Fault why;
};
using StreamEvent = std::variant<Written, Received, Closed>;

// A stream to the verifier over TLS, with its own connection, from construction on. gRPC's threads
// put down what happens and call `wakeup`; everything else is for one thread. At most one message
// from the verifier is held at a time: the next is read when that one has been taken.
class Stream {
 public:
  // `wakeup` is borrowed. Pings go out every 30 s, so that a verifier that died without a word is
  // noticed; its server has to permit pings every 10 s.
  Stream(const Endpoint& endpoint, Wakeup& wakeup);
  // Cancels the call when it is still open, and waits for gRPC to let go of it.
  ~Stream();
  Stream(Stream&&) = delete;

  // Starts to send `message`. One at a time: wait for Written. After Closed: nothing happens.
  void write(Message message);

  // What has happened since the last call, or nothing. Closed is the last event:
  //   kAkUnknown       the verifier does not let this node in; the detail says why
  //   kEnrolPending    the node waits for an operator's approval
  //   kAlreadyExists   another agent has taken over
  //   kRequestInvalid  the verifier says that we broke the protocol
  //   kUnavailable     anything else: unreachable, not trusted by TLS, shut down
  std::optional<StreamEvent> take();

 private:
  class Reactor;
  std::unique_ptr<Reactor> reactor_;
};

}  // namespace assay::agent
