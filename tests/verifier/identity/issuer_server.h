// An issuer of identity tokens on loopback: HTTPS, a discovery document, and the keys that it is told.
#pragma once

#include <httplib.h>

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace assay::testing {

class IssuerServer {
 public:
  using Answer = std::function<void(httplib::Response&)>;

  // `names` of its certificate; `path` behind its address.
  explicit IssuerServer(const std::string& names = "DNS:localhost,IP:127.0.0.1",
                        std::string path = "");
  ~IssuerServer();

  std::string issuer() const { return address() + path_; }
  std::string address() const { return "https://localhost:" + std::to_string(port_); }
  const std::filesystem::path& ca_file() const { return ca_file_; }
  std::string discovery_path() const { return path_ + "/.well-known/openid-configuration"; }

  // What a good issuer of these keys answers.
  void publish(const std::string& key_set);
  void answer(const std::string& path, Answer answer);
  static Answer text(std::string body);
  static Answer status(int status);
  // 503 to whatever is asked, until publish().
  void fail();

  std::vector<std::string> asked() const;  // paths, in order

 private:
  TempDir dir_;
  TestCa ca_;
  std::string path_;
  std::filesystem::path ca_file_;
  mutable std::mutex mutex_;
  std::map<std::string, Answer> answers_;
  std::vector<std::string> asked_;
  std::unique_ptr<httplib::SSLServer> server_;
  int port_ = 0;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace assay::testing
