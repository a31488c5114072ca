#include "verifier/sessions/agent_service.h"

#include <grpcpp/grpcpp.h>

#include <deque>
#include <mutex>

#include "assay/v1/agent.grpc.pb.h"
#include "verifier/sessions/codec.h"

namespace assay {
namespace {

// More than a challenge and an outcome never wait for one agent, unless it does not read.
constexpr std::size_t kMaxQueuedMessages = 8;

grpc::StatusCode status_code(FaultId id) {
  switch (id) {
    case FaultId::kAkUnknown:
    case FaultId::kAkMalformed:
    case FaultId::kAkUnsupported:
    case FaultId::kAkAttributes:
    case FaultId::kAkLockout:
    case FaultId::kEkMalformed:
    case FaultId::kEkUnsupported:
    case FaultId::kEkAttributes:
    case FaultId::kEkCertificateMissing:
    case FaultId::kEkCertificateMalformed:
    case FaultId::kEkCertificateKeyMismatch:
    case FaultId::kEkCertificateUsage:
    case FaultId::kEkCertificateExpired:
    case FaultId::kEkCertificateUntrusted:
    case FaultId::kEnrolNameInvalid:
    case FaultId::kEnrolNameTaken:
    case FaultId::kEnrolEkTaken:
    case FaultId::kEnrolKeyChanged:
    case FaultId::kEnrolNotAdmitted:
    case FaultId::kEnrolTokenUnknown:
    case FaultId::kEnrolTokenExpired:
    case FaultId::kEnrolTokenSpent:
    case FaultId::kEnrolVendorRefused:
    case FaultId::kEnrolCredentialMismatch:
    case FaultId::kEnrolCredentialUsed:
      return grpc::StatusCode::PERMISSION_DENIED;
    case FaultId::kEnrolPending:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case FaultId::kEnrolCredentialExpired:
    case FaultId::kUnavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case FaultId::kAlreadyExists:
      return grpc::StatusCode::ALREADY_EXISTS;
    case FaultId::kEvidenceNone:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case FaultId::kEvidenceTooLarge:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    default:
      return grpc::StatusCode::INVALID_ARGUMENT;
  }
}

grpc::Status to_status(const Fault& fault) {
  return {status_code(fault.id), format_fault(fault)};
}

// One agent's stream. gRPC calls its On… methods one at a time for reads and one at a time for
// writes; Sessions calls send() and close() from any thread. Deletes itself in OnDone.
class AgentStream final : public grpc::ServerBidiReactor<v1::AgentMessage, v1::VerifierMessage>,
                          public AgentLink {
 public:
  explicit AgentStream(Sessions& sessions) : sessions_(sessions) {
    const auto opened = sessions_.open(*this);
    if (!opened) {
      finish(to_status(opened.error()));
      return;
    }
    id_ = *opened;
    StartRead(&incoming_);
  }

  void send(std::uint64_t challenge_id, const Challenge& challenge) override {
    queue(encode_challenge(challenge_id, challenge));
  }

  void identify() override {
    v1::VerifierMessage message;
    message.mutable_identify();
    queue(std::move(message));
  }

  void send(const Credential& credential) override { queue(encode_credential(credential)); }

  void send(const AttemptOutcome& outcome) override {
    v1::VerifierMessage message;
    message.mutable_outcome()->set_challenge_id(outcome.challenge_id);
    message.mutable_outcome()->set_state(std::string(node_state_name(outcome.state)));
    message.mutable_outcome()->set_faults_total(outcome.faults_total);
    message.mutable_outcome()->set_first_fault(outcome.first_fault);
    queue(std::move(message));
  }

  void close(const Fault& reason) override { finish(to_status(reason)); }

  void OnReadDone(bool ok) override {
    // gRPC does not say which it was. An agent that has gone does not hear this.
    if (!ok) {
      return finish(to_status({.id = FaultId::kEvidenceMalformed,
                               .detail = "the stream was closed, or what came is no message"}));
    }
    if (const Status status = receive(); !status) {
      sessions_.refused(status.error());
      return finish(to_status(status.error()));
    }
    incoming_.Clear();
    const std::scoped_lock lock(mutex_);
    if (!finished_) StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    {
      const std::scoped_lock lock(mutex_);
      outgoing_.pop_front();
      if (ok && !finished_ && !outgoing_.empty()) StartWrite(&outgoing_.front());
    }
    if (!ok) finish(grpc::Status::OK);
  }

  void OnCancel() override { finish(grpc::Status::CANCELLED); }

  void OnDone() override {
    if (id_) sessions_.closed(*id_);
    delete this;
  }

 private:
  // Gives the message that was read to the session that it belongs to.
  Status receive() {
    switch (incoming_.message_case()) {
      case v1::AgentMessage::kHello:
        return sessions_.on_hello(*id_, as_bytes(incoming_.hello().ak_public()),
                                  decode_banks(incoming_.hello()),
                                  decode_log_form(incoming_.hello()));
      case v1::AgentMessage::kIdentity: {
        ASSAY_TRY(const Identity identity, decode_identity(incoming_.identity()));
        return sessions_.on_identity(*id_, identity);
      }
      case v1::AgentMessage::kOpenedCredential:
        return sessions_.on_opened_credential(*id_,
                                              as_bytes(incoming_.opened_credential().secret()));
      case v1::AgentMessage::kQuote: {
        ASSAY_TRY(UntrustedQuote quote, decode_quote(*incoming_.mutable_quote()));
        return sessions_.on_quote(*id_, incoming_.quote().challenge_id(), std::move(quote));
      }
      case v1::AgentMessage::kLogChunk:
        return sessions_.on_log_chunk(*id_, incoming_.log_chunk().challenge_id(),
                                      as_bytes(incoming_.log_chunk().data()));
      case v1::AgentMessage::kBootLogChunk:
        return sessions_.on_boot_log_chunk(*id_, incoming_.boot_log_chunk().challenge_id(),
                                           as_bytes(incoming_.boot_log_chunk().data()));
      case v1::AgentMessage::kPodClaims:
        return sessions_.on_pod_claims(*id_, incoming_.pod_claims().challenge_id(),
                                       decode_pod_claims(incoming_.pod_claims()));
      case v1::AgentMessage::kEnd:
        return sessions_.on_end(*id_, incoming_.end().challenge_id(), decode_end(incoming_.end()));
      case v1::AgentMessage::kRefusal:
        return sessions_.on_refusal(*id_, incoming_.refusal().challenge_id(),
                                    incoming_.refusal().reason());
      case v1::AgentMessage::kHint:
        return sessions_.on_hint(*id_);
      case v1::AgentMessage::MESSAGE_NOT_SET:
        break;
    }
    return fail(FaultId::kEvidenceMalformed, "an empty message");
  }

  void queue(v1::VerifierMessage message) {
    const std::scoped_lock lock(mutex_);
    if (finished_) return;
    if (outgoing_.size() >= kMaxQueuedMessages) {
      finished_ = true;
      Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "the agent does not read"});
      return;
    }
    outgoing_.push_back(std::move(message));
    if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
  }

  void finish(grpc::Status status) {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(finished_, true)) return;
    Finish(std::move(status));
  }

  Sessions& sessions_;
  std::optional<StreamId> id_;
  v1::AgentMessage incoming_;
  std::mutex mutex_;
  std::deque<v1::VerifierMessage> outgoing_;
  bool finished_ = false;
};

class AgentService final : public v1::AgentService::CallbackService {
 public:
  explicit AgentService(Sessions& sessions) : sessions_(sessions) {}

  grpc::ServerBidiReactor<v1::AgentMessage, v1::VerifierMessage>* Attest(
      grpc::CallbackServerContext*) override {
    return new AgentStream(sessions_);  // owned by gRPC until OnDone
  }

 private:
  Sessions& sessions_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_agent_service(Sessions& sessions) {
  return std::make_unique<AgentService>(sessions);
}

}  // namespace assay
