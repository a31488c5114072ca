#include "tests/verifier/sinks/receiver.h"

#include <doctest/doctest.h>

#include "tests/support/child_process.h"

namespace assay::testing {

Receiver::Receiver(std::unique_ptr<httplib::Server> server) : server_(std::move(server)) {
  REQUIRE(server_->is_valid());
  const auto handler = [this](const httplib::Request& request, httplib::Response& response) {
    handle(request, response);
  };
  server_->Get(".*", handler).Post(".*", handler);
  port_ = server_->bind_to_any_port("127.0.0.1");
  REQUIRE(port_ > 0);
  thread_ = std::jthread([this] { server_->listen_after_bind(); });
  REQUIRE(eventually([this] { return server_->is_running(); }));
}

Receiver::~Receiver() {
  server_->stop();
}

void Receiver::answer_with(std::vector<Answer> answers) {
  const std::scoped_lock lock(mutex_);
  answers_.assign(answers.begin(), answers.end());
}

std::vector<httplib::Request> Receiver::requests() const {
  const std::scoped_lock lock(mutex_);
  return requests_;
}

void Receiver::handle(const httplib::Request& request, httplib::Response& response) {
  Answer answer = status(204);
  {
    const std::scoped_lock lock(mutex_);
    requests_.push_back(request);
    if (!answers_.empty()) {
      answer = std::move(answers_.front());
      answers_.pop_front();
    }
  }
  answer(response);
}

}  // namespace assay::testing
