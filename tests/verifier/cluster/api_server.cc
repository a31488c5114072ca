#include "tests/verifier/cluster/api_server.h"

#include <doctest/doctest.h>

#include "tests/support/child_process.h"

namespace assay::testing {

ApiServer::ApiServer(const std::string& names, std::string prefix)
    : prefix_(std::move(prefix)), ca_file_(dir_.write("ca.pem", ca_.certificate_pem())) {
  write_token("first\n");
  const TestCa::Identity identity = ca_.issue(names);
  const auto certificate = dir_.write("cert.pem", identity.certificate_pem);
  const auto key = dir_.write("key.pem", identity.key_pem);
  server_ = std::make_unique<httplib::SSLServer>(certificate.c_str(), key.c_str());
  REQUIRE(server_->is_valid());
  server_->Get(".*", [this](const httplib::Request& request, httplib::Response& response) {
    Answer answer = status(404);
    {
      const std::scoped_lock lock(mutex_);
      asked_.push_back({.target = request.target,
                        .authorization = request.get_header_value("Authorization"),
                        .accept = request.get_header_value("Accept")});
      if (request.path == prefix_ + "/api/v1/pods") {
        answer = request.has_param("watch") ? on_watch_ : on_list_;
      }
    }
    answer(request, response);
  });
  port_ = server_->bind_to_any_port("127.0.0.1");
  REQUIRE(port_ > 0);
  thread_ = std::jthread([this] { server_->listen_after_bind(); });
  REQUIRE(eventually([this] { return server_->is_running(); }));
}

ApiServer::~ApiServer() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  ends_.notify_all();
  server_->stop();
}

KubernetesApi ApiServer::api() const {
  return {.url = "https://localhost:" + std::to_string(port_) + prefix_,
          .ca_file = ca_file_,
          .token_file = dir_ / "token"};
}

void ApiServer::on_list(Answer answer) {
  const std::scoped_lock lock(mutex_);
  on_list_ = std::move(answer);
}

void ApiServer::on_watch(Answer answer) {
  const std::scoped_lock lock(mutex_);
  on_watch_ = std::move(answer);
}

ApiServer::Answer ApiServer::text(std::string body) {
  return [body = std::move(body)](const httplib::Request&, httplib::Response& response) {
    response.set_content(body, "application/json");
  };
}

ApiServer::Answer ApiServer::status(int status) {
  return
      [status](const httplib::Request&, httplib::Response& response) { response.status = status; };
}

ApiServer::Answer ApiServer::pieces(std::vector<std::string> pieces) {
  return [pieces = std::move(pieces)](const httplib::Request&, httplib::Response& response) {
    response.set_chunked_content_provider("application/json",
                                          [pieces](std::size_t, httplib::DataSink& sink) {
                                            for (const std::string& piece : pieces)
                                              sink.write(piece.data(), piece.size());
                                            sink.done();
                                            return true;
                                          });
  };
}

ApiServer::Answer ApiServer::hanging(std::vector<std::string> pieces) {
  return [this, pieces = std::move(pieces)](const httplib::Request&, httplib::Response& response) {
    response.set_chunked_content_provider("application/json",
                                          [this, pieces](std::size_t, httplib::DataSink& sink) {
                                            for (const std::string& piece : pieces)
                                              sink.write(piece.data(), piece.size());
                                            std::unique_lock lock(mutex_);
                                            ends_.wait(lock, [this] { return ending_; });
                                            return false;
                                          });
  };
}

ApiServer::Answer ApiServer::nothing() {
  return [this](const httplib::Request&, httplib::Response&) { wait_for_end(); };
}

void ApiServer::wait_for_end() {
  std::unique_lock lock(mutex_);
  ends_.wait(lock, [this] { return ending_; });
}

std::vector<ApiServer::Asked> ApiServer::asked() const {
  const std::scoped_lock lock(mutex_);
  return asked_;
}

}  // namespace assay::testing
