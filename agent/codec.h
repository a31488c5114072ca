// Between the protocol's messages and their form on the wire.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "agent/protocol.h"

namespace assay::v1 {
class AgentMessage;
class VerifierMessage;
}  // namespace assay::v1

namespace assay::agent {

// What the verifier made of an answer. Its texts are escaped and short.
struct Outcome {
  std::uint64_t challenge_id = 0;
  std::string state;
  std::uint64_t faults_total = 0;
  std::string first_fault;
};

struct Identify {};  // the verifier asks who we are

// monostate: a message that a newer verifier knows and we do not; nothing to be done.
using Received = std::variant<std::monostate, Identify, Credential, ReceivedChallenge, Outcome>;

// Replaces what `out` holds.
void encode(Message message, v1::AgentMessage& out);

// `message` is untrusted. A challenge asks for something that can be done when its nonce has 8 to
// 64 bytes and its selection is not empty, names SHA-1 or SHA-2 banks and PCRs 0 to 23, each once,
// and the log's first byte is a file offset; else it carries kRequestInvalid and why. Pure.
Received decode(const v1::VerifierMessage& message);

}  // namespace assay::agent
