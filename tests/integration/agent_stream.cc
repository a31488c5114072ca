#include "tests/integration/agent_stream.h"

#include <doctest/doctest.h>

#include "tests/support/child_process.h"

namespace assay::testing {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{256} << 10;

v1::HashAlgorithm to_wire(HashAlg alg) {
  return static_cast<v1::HashAlgorithm>(static_cast<int>(alg) + 1);  // the same order
}

std::string text_of(ByteView bytes) {
  return std::string(as_text(bytes));
}

}  // namespace

v1::AgentMessage hello_message(ByteView ak_public) {
  v1::AgentMessage out;
  out.mutable_hello()->set_ak_public(text_of(ak_public));
  out.mutable_hello()->set_agent_version("test");
  return out;
}

v1::AgentMessage quote_message(std::uint64_t challenge, const UntrustedQuote& quote) {
  v1::AgentMessage out;
  v1::Quote& wire = *out.mutable_quote();
  wire.set_challenge_id(challenge);
  wire.set_attest(text_of(quote.attest));
  wire.set_signature(text_of(quote.signature));
  for (const auto& [slot, value] : quote.pcrs) {
    v1::PcrValue& pcr = *wire.add_pcrs();
    pcr.set_bank(to_wire(slot.bank));
    pcr.set_index(slot.index.value());
    pcr.set_value(text_of(value.bytes()));
  }
  return out;
}

v1::AgentMessage chunk_message(std::uint64_t challenge, ByteView data) {
  v1::AgentMessage out;
  out.mutable_log_chunk()->set_challenge_id(challenge);
  out.mutable_log_chunk()->set_data(text_of(data));
  return out;
}

v1::AgentMessage end_message(std::uint64_t challenge, std::uint64_t log_bytes) {
  v1::AgentMessage out;
  out.mutable_end()->set_challenge_id(challenge);
  out.mutable_end()->set_log_bytes(log_bytes);
  return out;
}

Nonce nonce_of(const v1::Challenge& challenge) {
  const auto nonce = Nonce::from(as_bytes(challenge.nonce()));
  REQUIRE(nonce.has_value());
  return *nonce;
}

AgentStream::AgentStream(const std::shared_ptr<grpc::Channel>& channel)
    : stub_(v1::AgentService::NewStub(channel)) {
  context_.set_wait_for_ready(true);
  context_.set_deadline(std::chrono::system_clock::now() + kPatience);
  stream_ = stub_->Attest(&context_);
}

AgentStream::~AgentStream() {
  if (finished_) return;
  cancel();
  finish();
}

bool AgentStream::send(const v1::AgentMessage& message) {
  return stream_->Write(message);
}

bool AgentStream::hello(ByteView ak_public) {
  return send(hello_message(ak_public));
}

bool AgentStream::join(SimulatedNode& node) {
  if (!hello(node.tpm().ak_public())) return false;
  const auto proof = challenge();
  return proof && proof->quote_only() && answer(*proof, node);
}

bool AgentStream::hint(std::uint64_t measurements) {
  v1::AgentMessage message;
  message.mutable_hint()->set_measurements(measurements);
  return send(message);
}

bool AgentStream::quote(std::uint64_t challenge, const UntrustedQuote& quote) {
  return send(quote_message(challenge, quote));
}

bool AgentStream::chunk(std::uint64_t challenge, ByteView data) {
  return send(chunk_message(challenge, data));
}

bool AgentStream::end(std::uint64_t challenge, std::uint64_t log_bytes) {
  return send(end_message(challenge, log_bytes));
}

bool AgentStream::refusal(std::uint64_t challenge, const std::string& reason) {
  v1::AgentMessage message;
  message.mutable_refusal()->set_challenge_id(challenge);
  message.mutable_refusal()->set_reason(reason);
  return send(message);
}

bool AgentStream::answer(const v1::Challenge& challenge, SimulatedNode& node) {
  if (!quote(challenge.id(), node.quote(nonce_of(challenge)))) return false;
  const Bytes log = challenge.quote_only() ? Bytes() : node.log_from(challenge.first_byte());
  for (ByteView rest = log; !rest.empty();) {
    const ByteView piece = rest.first(std::min(rest.size(), kChunkBytes));
    if (!chunk(challenge.id(), piece)) return false;
    rest = rest.subspan(piece.size());
  }
  return end(challenge.id(), log.size());
}

std::optional<v1::Challenge> AgentStream::challenge() {
  for (v1::VerifierMessage message; stream_->Read(&message);) {
    if (message.has_challenge()) return message.challenge();
  }
  return std::nullopt;
}

std::optional<v1::Outcome> AgentStream::outcome() {
  for (v1::VerifierMessage message; stream_->Read(&message);) {
    if (message.has_outcome()) return message.outcome();
  }
  return std::nullopt;
}

std::optional<v1::Credential> AgentStream::credential() {
  for (v1::VerifierMessage message; stream_->Read(&message);) {
    if (message.has_credential()) return message.credential();
  }
  return std::nullopt;
}

grpc::Status AgentStream::finish() {
  for (v1::VerifierMessage message; stream_->Read(&message);) {
  }
  finished_ = true;
  return stream_->Finish();
}

}  // namespace assay::testing
