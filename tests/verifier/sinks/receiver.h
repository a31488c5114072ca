// A webhook receiver in the test's own process: it remembers what came, and answers as it is told.
#pragma once

#include <httplib.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace assay::testing {

class Receiver {
 public:
  using Answer = std::function<void(httplib::Response&)>;

  // Plain HTTP, or HTTPS with a server that is made elsewhere.
  explicit Receiver(std::unique_ptr<httplib::Server> server = std::make_unique<httplib::Server>());
  ~Receiver();

  int port() const { return port_; }
  std::string url(const std::string& target = "/hook") const {
    return "http://127.0.0.1:" + std::to_string(port_) + target;
  }

  // Answers for the next requests, in order; 204 when there is none left.
  void answer_with(std::vector<Answer> answers);
  static Answer status(int status) {
    return [status](httplib::Response& response) { response.status = status; };
  }

  std::vector<httplib::Request> requests() const;

 private:
  void handle(const httplib::Request& request, httplib::Response& response);

  mutable std::mutex mutex_;
  std::vector<httplib::Request> requests_;
  std::deque<Answer> answers_;
  std::unique_ptr<httplib::Server> server_;
  int port_ = 0;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace assay::testing
