#include "tests/agent/fake_verifier.h"

#include <cstdio>
#include <cstdlib>

namespace assay::testing {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "the agent broke the protocol: %s\n", what);
  std::abort();
}

HashAlg from_wire(v1::HashAlgorithm bank) {
  return kAllHashAlgs[static_cast<std::size_t>(bank) - 1];
}

Bytes to_bytes(const std::string& text) {
  return {text.begin(), text.end()};
}

UntrustedQuote decode(const v1::Quote& quote) {
  UntrustedQuote out{
      .attest = to_bytes(quote.attest()), .signature = to_bytes(quote.signature()), .pcrs = {}};
  for (const v1::PcrValue& pcr : quote.pcrs()) {
    const HashAlg bank = from_wire(pcr.bank());
    out.pcrs.emplace(PcrSlot{bank, *PcrIndex::from(pcr.index())},
                     *Digest::from(bank, as_bytes(pcr.value())));
  }
  return out;
}

}  // namespace

class FakeVerifier::Service final : public v1::AgentService::Service {
 public:
  explicit Service(Script script) : script_(std::move(script)) {}
  grpc::Status Attest(grpc::ServerContext* context, Wire* wire) override {
    return script_(*wire, *context);
  }

 private:
  Script script_;
};

FakeVerifier::FakeVerifier(const TestCa& ca, Script script, int port, const std::string& names)
    : service_(std::make_unique<Service>(std::move(script))), port_(port) {
  const TestCa::Identity identity = ca.issue(names);
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs.push_back({identity.key_pem, identity.certificate_pem});
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::SslServerCredentials(tls),
                           &port_);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  require(server_ != nullptr, "the test's own port cannot be opened");
}

FakeVerifier::~FakeVerifier() {
  server_->Shutdown(std::chrono::system_clock::now());
}

v1::VerifierMessage challenge_message(std::uint64_t id, const Challenge& challenge) {
  v1::VerifierMessage out;
  v1::Challenge& to = *out.mutable_challenge();
  to.set_id(id);
  to.set_nonce(std::string(as_text(challenge.nonce.bytes())));
  for (const PcrSlot& slot : challenge.selection) {
    const auto bank = static_cast<v1::HashAlgorithm>(static_cast<int>(slot.bank) + 1);
    if (to.selection().empty() || to.selection().rbegin()->bank() != bank) {
      to.add_selection()->set_bank(bank);
    }
    to.mutable_selection()->rbegin()->add_indices(slot.index.value());
  }
  to.set_first_entry(challenge.first_entry);
  to.set_first_byte(challenge.first_byte);
  to.set_max_log_bytes(challenge.max_log_bytes);
  return out;
}

Answer read_answer(FakeVerifier::Wire& wire, std::uint64_t id) {
  Answer out;
  for (v1::AgentMessage message; wire.Read(&message);) {
    if (message.has_hint()) continue;
    if (message.has_refusal()) {
      require(message.refusal().challenge_id() == id, "a refusal of something else");
      out.refusal = message.refusal().reason();
      return out;
    }
    if (message.has_quote()) {
      require(message.quote().challenge_id() == id && out.quote.attest.empty(), "a stray quote");
      out.quote = decode(message.quote());
      continue;
    }
    require(!out.quote.attest.empty(), "a log without its quote");
    if (message.has_end()) {
      require(message.end().challenge_id() == id && message.end().log_bytes() == out.log.size(),
              "an end that does not fit");
      return out;
    }
    require(!out.claims, "a message between pod claims and the end");
    if (message.has_pod_claims()) {
      require(message.pod_claims().challenge_id() == id, "stray pod claims");
      out.claims = message.pod_claims();
      continue;
    }
    require(message.has_log_chunk() && message.log_chunk().challenge_id() == id, "a stray message");
    const std::string& data = message.log_chunk().data();
    require(!data.empty() && data.size() <= agent::kMaxChunkBytes, "a chunk of a wrong size");
    out.log.insert(out.log.end(), data.begin(), data.end());
    ++out.chunks;
  }
  out.refusal = "the stream ended";
  return out;
}

}  // namespace assay::testing
