#include "tests/verifier/identity/issuer_server.h"

#include <doctest/doctest.h>

#include "tests/support/child_process.h"

namespace assay::testing {

IssuerServer::IssuerServer(const std::string& names, std::string path)
    : path_(std::move(path)), ca_file_(dir_.write("ca.pem", ca_.certificate_pem())) {
  const TestCa::Identity identity = ca_.issue(names);
  const auto certificate = dir_.write("cert.pem", identity.certificate_pem);
  const auto key = dir_.write("key.pem", identity.key_pem);
  server_ = std::make_unique<httplib::SSLServer>(certificate.c_str(), key.c_str());
  REQUIRE(server_->is_valid());
  server_->Get(".*", [this](const httplib::Request& request, httplib::Response& response) {
    const std::scoped_lock lock(mutex_);
    asked_.push_back(request.path);
    const auto found = answers_.find(request.path);
    (found == answers_.end() ? status(404) : found->second)(response);
  });
  port_ = server_->bind_to_any_port("127.0.0.1");
  REQUIRE(port_ > 0);
  thread_ = std::jthread([this] { server_->listen_after_bind(); });
  REQUIRE(eventually([this] { return server_->is_running(); }));
}

IssuerServer::~IssuerServer() {
  server_->stop();
}

void IssuerServer::publish(const std::string& key_set) {
  const std::string discovery =
      R"({"issuer":")" + issuer() + R"(","jwks_uri":")" + address() + R"(/keys"})";
  answer(discovery_path(), text(discovery));
  answer("/keys", text(key_set));
}

void IssuerServer::answer(const std::string& path, Answer answer) {
  const std::scoped_lock lock(mutex_);
  answers_[path] = std::move(answer);
}

IssuerServer::Answer IssuerServer::text(std::string body) {
  return [body = std::move(body)](httplib::Response& response) {
    response.set_content(body, "application/json");
  };
}

IssuerServer::Answer IssuerServer::status(int status) {
  return [status](httplib::Response& response) { response.status = status; };
}

void IssuerServer::fail() {
  answer(discovery_path(), status(503));
  answer("/keys", status(503));
}

std::vector<std::string> IssuerServer::asked() const {
  const std::scoped_lock lock(mutex_);
  return asked_;
}

}  // namespace assay::testing
