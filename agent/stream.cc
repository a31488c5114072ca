#include "agent/stream.h"

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <mutex>

#include "assay/v1/agent.grpc.pb.h"
#include "core/text.h"

namespace assay::agent {
namespace {

constexpr int kKeepaliveMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kMaxReceivedBytes = 64 << 10;  // a challenge has some hundred
constexpr std::size_t kMaxWordsBytes = 400;  // of the other side, in our log

std::shared_ptr<grpc::Channel> dial(const Endpoint& endpoint) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetMaxReceiveMessageSize(kMaxReceivedBytes);
  // Each attempt is a fresh one: when to dial again is the session's to decide, not gRPC's.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!endpoint.server_name.empty()) args.SetSslTargetNameOverride(endpoint.server_name);
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = endpoint.ca_pem;
  return grpc::CreateCustomChannel("dns:///" + endpoint.verifier, grpc::SslCredentials(tls), args);
}

Fault fault_of(const grpc::Status& status) {
  const std::string words = shorten(escape_bytes(status.error_message()), kMaxWordsBytes);
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return {.id = FaultId::kUnavailable, .detail = "the verifier ended the stream"};
    case grpc::StatusCode::PERMISSION_DENIED:
      return {.id = FaultId::kAkUnknown, .detail = words};
    case grpc::StatusCode::FAILED_PRECONDITION:
      return {.id = FaultId::kEnrolPending, .detail = words};
    case grpc::StatusCode::ALREADY_EXISTS:
      return {.id = FaultId::kAlreadyExists,
              .detail = words + ": stop the other assay-agent that uses this TPM key"};
    case grpc::StatusCode::INVALID_ARGUMENT:
      return {.id = FaultId::kRequestInvalid,
              .detail = words + ": use an agent and a verifier of the same version"};
    default:
      break;
  }
  // gRPC has no code for it: "Ssl handshake failed", "Peer name … is not in peer certificate".
  const bool tls = words.find("andshake") != std::string::npos ||
                   words.find("peer certificate") != std::string::npos;
  return {
      .id = FaultId::kUnavailable,
      .detail = words + (tls ? ": check ca_file, server_name and the verifier's certificate" : "")};
}

}  // namespace

// gRPC calls the On… functions, one thread at a time for each of them but not for all. The hold
// keeps OnDone away until take() has seen that the stream broke, since until then the owner may
// start operations. No lock is held while gRPC is called: it may call back at once.
class Stream::Reactor final
    : public grpc::ClientBidiReactor<v1::AgentMessage, v1::VerifierMessage> {
 public:
  Reactor(const Endpoint& endpoint, Wakeup& wakeup)
      : wakeup_(wakeup), stub_(v1::AgentService::NewStub(dial(endpoint))) {
    stub_->async()->Attest(&context_, this);
    AddHold();
    StartRead(&incoming_);
    StartCall();
  }

  ~Reactor() override {
    context_.TryCancel();
    release();
    std::unique_lock lock(mutex_);
    over_.wait(lock, [&] { return done_.has_value(); });
  }

  void write(Message message) {
    if (released_) return;
    encode(std::move(message), outgoing_);
    StartWrite(&outgoing_);
  }

  std::optional<StreamEvent> take() {
    const Seen seen = look();
    if (seen.written) return Written{};
    if (seen.read) {
      Received received = decode(incoming_);
      if (!released_) StartRead(&incoming_);
      return received;
    }
    if (seen.broken) release();
    if (seen.closed) return Closed{fault_of(*seen.closed)};
    return std::nullopt;
  }

  void OnWriteDone(bool ok) override {
    put([&] { (ok ? written_ : broken_) = true; });
  }
  void OnReadDone(bool ok) override {
    put([&] { (ok ? read_ : broken_) = true; });
  }

  void OnDone(const grpc::Status& status) override {
    // The last touch of this object is to let go of the lock: the destructor waits for it.
    const std::scoped_lock lock(mutex_);
    done_ = status;
    wakeup_.notify();
    over_.notify_all();
  }

 private:
  struct Seen {
    bool written;
    bool read;
    bool broken;
    std::optional<grpc::Status> closed;
  };

  // One thing at a time: the first of these that has happened.
  Seen look() {
    const std::scoped_lock lock(mutex_);
    Seen out{
        .written = std::exchange(written_, false), .read = false, .broken = broken_, .closed = {}};
    if (out.written) return out;
    out.read = std::exchange(read_, false);
    if (!out.read) out.closed = done_;
    return out;
  }

  template <typename Change>
  void put(Change change) {
    const std::scoped_lock lock(mutex_);
    change();
    wakeup_.notify();
  }

  void release() {
    if (!std::exchange(released_, true)) RemoveHold();
  }

  Wakeup& wakeup_;
  std::unique_ptr<v1::AgentService::Stub> stub_;
  grpc::ClientContext context_;
  v1::AgentMessage outgoing_;
  v1::VerifierMessage incoming_;
  bool released_ = false;  // the owner's thread only

  std::mutex mutex_;
  std::condition_variable over_;
  bool written_ = false;
  bool read_ = false;
  bool broken_ = false;
  std::optional<grpc::Status> done_;
};

Stream::Stream(const Endpoint& endpoint, Wakeup& wakeup)
    : reactor_(std::make_unique<Reactor>(endpoint, wakeup)) {}

Stream::~Stream() = default;

void Stream::write(Message message) {
  reactor_->write(std::move(message));
}

std::optional<StreamEvent> Stream::take() {
  return reactor_->take();
}

}  // namespace assay::agent
