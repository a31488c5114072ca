// An agent's stream, message by message: a test can say anything on it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "assay/v1/agent.grpc.pb.h"
#include "core/bytes.h"
#include "core/challenge.h"
#include "tests/support/simulated_node.h"

namespace assay::testing {

class AgentStream {
 public:
  // Dials. The stream ends by itself after kPatience.
  explicit AgentStream(const std::shared_ptr<grpc::Channel>& channel);
  ~AgentStream();

  // Each says whether the message went out: false once the verifier has ended the stream.
  bool send(const v1::AgentMessage& message);
  bool hello(ByteView ak_public);
  // Hello, and the proof that the verifier then asks for: what comes next is for this node.
  bool join(SimulatedNode& node);
  bool hint(std::uint64_t measurements);
  bool quote(std::uint64_t challenge, const UntrustedQuote& quote);
  bool chunk(std::uint64_t challenge, ByteView data);
  bool end(std::uint64_t challenge, std::uint64_t log_bytes);
  bool refusal(std::uint64_t challenge, const std::string& reason);
  // All of an answer, as an honest agent gives it.
  bool answer(const v1::Challenge& challenge, SimulatedNode& node);

  // The next challenge or outcome, past messages of the other kind; nothing when the stream ended.
  std::optional<v1::Challenge> challenge();
  std::optional<v1::Outcome> outcome();
  std::optional<v1::Credential> credential();

  // Reads to the end of the stream; what it was ended with. Once.
  grpc::Status finish();
  // Ends the stream from this side.
  void cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::AgentService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::VerifierMessage>> stream_;
  bool finished_ = false;
};

// Messages as an honest agent makes them.
v1::AgentMessage hello_message(ByteView ak_public);
v1::AgentMessage quote_message(std::uint64_t challenge, const UntrustedQuote& quote);
v1::AgentMessage chunk_message(std::uint64_t challenge, ByteView data);
v1::AgentMessage end_message(std::uint64_t challenge, std::uint64_t log_bytes);

// The challenge's nonce. Fails the test when it is none.
Nonce nonce_of(const v1::Challenge& challenge);

}  // namespace assay::testing
