// A Kubernetes API on loopback: HTTPS, one path, and the answers that it is told.
#pragma once

#include <httplib.h>

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"
#include "verifier/cluster/kubernetes_api.h"

namespace assay::testing {

class ApiServer {
 public:
  using Answer = std::function<void(const httplib::Request&, httplib::Response&)>;

  struct Asked {
    std::string target;  // path and query as they came
    std::string authorization;
    std::string accept;
  };

  // `names` of its certificate; `prefix` before the API's path.
  explicit ApiServer(const std::string& names = "DNS:localhost,IP:127.0.0.1",
                     std::string prefix = "");
  ~ApiServer();

  // How it is reached, with the token "first".
  KubernetesApi api() const;
  const std::filesystem::path& ca_file() const { return ca_file_; }
  void write_token(const std::string& content) { dir_.write("token", content); }

  void on_list(Answer answer);
  void on_watch(Answer answer);

  static Answer text(std::string body);
  static Answer status(int status);
  // A body in these chunks; it ends after them.
  static Answer pieces(std::vector<std::string> pieces);
  // Likewise, but it does not end before the server does.
  Answer hanging(std::vector<std::string> pieces);
  // Not even a head, as long as the server is there.
  Answer nothing();

  std::vector<Asked> asked() const;  // in order

 private:
  void wait_for_end();

  TempDir dir_;
  TestCa ca_;
  std::string prefix_;
  std::filesystem::path ca_file_;
  mutable std::mutex mutex_;
  std::condition_variable ends_;
  bool ending_ = false;
  Answer on_list_ = status(404);
  Answer on_watch_ = status(404);
  std::vector<Asked> asked_;
  std::unique_ptr<httplib::SSLServer> server_;
  int port_ = 0;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace assay::testing
