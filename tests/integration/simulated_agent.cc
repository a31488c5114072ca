#include "tests/integration/simulated_agent.h"

#include <condition_variable>
#include <deque>
#include <utility>

#include "assay/v1/agent.grpc.pb.h"
#include "tests/integration/agent_stream.h"
#include "tests/support/userns_file.h"

namespace assay::testing {

class SimulatedAgent::Reactor final
    : public grpc::ClientBidiReactor<v1::AgentMessage, v1::VerifierMessage> {
 public:
  Reactor(SimulatedAgent& agent, const std::shared_ptr<grpc::Channel>& channel)
      : agent_(agent), stub_(v1::AgentService::NewStub(channel)) {
    context_.set_wait_for_ready(true);
    stub_->async()->Attest(&context_, this);
    AddHold();  // send() may come from outside of gRPC's own calls
    StartRead(&incoming_);
    send(hello_message(agent_.ak_public()));
    StartCall();
  }

  ~Reactor() override {
    context_.TryCancel();
    release();
    std::unique_lock lock(mutex_);
    over_.wait(lock, [this] { return done_; });
  }

  void send(v1::AgentMessage message) {
    const std::scoped_lock lock(mutex_);
    if (released_) return;
    outgoing_.push_back(std::move(message));
    if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return release();
    const std::scoped_lock lock(mutex_);
    outgoing_.pop_front();
    if (!released_ && !outgoing_.empty()) StartWrite(&outgoing_.front());
  }

  void OnReadDone(bool ok) override {
    if (!ok) return release();
    if (incoming_.has_challenge()) answer(incoming_.challenge());
    if (incoming_.has_outcome()) {
      const std::scoped_lock lock(agent_.mutex_);
      ++agent_.seen_.outcomes;
      agent_.seen_.state = incoming_.outcome().state();
    }
    StartRead(&incoming_);
  }

  void OnDone(const grpc::Status& status) override {
    {
      const std::scoped_lock lock(agent_.mutex_);
      agent_.seen_.ended = "ended: " + status.error_message();
    }
    const std::scoped_lock lock(mutex_);
    done_ = true;
    over_.notify_all();
  }

 private:
  // No more calls from outside: the stream may end.
  void release() {
    {
      const std::scoped_lock lock(mutex_);
      if (std::exchange(released_, true)) return;
    }
    RemoveHold();
  }

  // Quote and log belong together: the log is read at the same moment.
  void answer(const v1::Challenge& challenge) {
    UntrustedQuote quote;
    Bytes log;
    std::optional<v1::AgentMessage> claims;
    {
      const std::scoped_lock lock(agent_.mutex_);
      quote = agent_.node_.quote(nonce_of(challenge));
      if (!challenge.quote_only()) {
        log = agent_.node_.log_from(challenge.first_byte());
        claims.swap(agent_.claims_);
      }
    }
    send(quote_message(challenge.id(), quote));
    if (!log.empty()) send(chunk_message(challenge.id(), log));
    if (claims) {
      claims->mutable_pod_claims()->set_challenge_id(challenge.id());
      send(*std::move(claims));
    }
    send(end_message(challenge.id(), log.size()));
  }

  SimulatedAgent& agent_;
  std::unique_ptr<v1::AgentService::Stub> stub_;
  grpc::ClientContext context_;
  v1::VerifierMessage incoming_;
  std::mutex mutex_;
  std::condition_variable over_;
  std::deque<v1::AgentMessage> outgoing_;
  bool released_ = false;
  bool done_ = false;
};

SimulatedAgent::SimulatedAgent() = default;
SimulatedAgent::~SimulatedAgent() = default;

void SimulatedAgent::connect(const std::shared_ptr<grpc::Channel>& channel) {
  reactor_ = std::make_unique<Reactor>(*this, channel);
}

void SimulatedAgent::run(const std::string& path, const std::string& content) {
  grow([&] { node_.run(path, content); });
}

void SimulatedAgent::run_in_cgroup(const std::string& path, const std::string& content,
                                   const std::string& cgroup) {
  grow([&] { node_.run_in_cgroup(path, content, cgroup); });
}

void SimulatedAgent::run_file_of(const std::string& path, const std::string& content,
                                 std::uint32_t owner) {
  grow([&] { node_.run_file_of(path, content, owner); });
}

void SimulatedAgent::claim(const std::string& pod_uid, std::uint32_t host) {
  v1::AgentMessage message;
  v1::PodClaim& pod = *message.mutable_pod_claims()->add_pods();
  pod.set_pod_uid(pod_uid);
  pod.set_mapping(userns_file(host));
  const std::scoped_lock lock(mutex_);
  claims_ = std::move(message);
}

void SimulatedAgent::grow(const std::function<void()>& measure) {
  v1::AgentMessage hint;
  {
    const std::scoped_lock lock(mutex_);
    measure();
    hint.mutable_hint()->set_measurements(node_.log().entries());
  }
  if (reactor_) reactor_->send(std::move(hint));
}

SimulatedAgent::Seen SimulatedAgent::seen() const {
  const std::scoped_lock lock(mutex_);
  return seen_;
}

}  // namespace assay::testing
