// The built assay-verifier as a process, with TLS and an operator's token of its own.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "tests/cli/assay_process.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace assay::testing {

class RunningVerifier {
 public:
  struct Options {
    std::string interval = "30s";
    std::string more = {};                          // further lines of the configuration
    std::filesystem::path database = {};            // empty: in a folder of the verifier's own
    std::map<std::string, std::string> files = {};  // secrets that `more` names: name and content
  };

  // Writes the configuration, starts the verifier, and waits until it serves. Fails the test when
  // it does not.
  explicit RunningVerifier(const Options& options);
  RunningVerifier() : RunningVerifier(Options()) {}

  // Starts it again after stop() or kill(): the same database, ports and certificate. start() is
  // launch(), which does not wait, and await_start().
  void start();
  void launch();
  void await_start();
  // SIGTERM; its exit status.
  int stop();
  // SIGKILL, and it is gone.
  void kill();
  // Changes the configuration of the next start().
  void set_interval(const std::string& interval);

  bool running() { return process_->running(); }
  pid_t pid() const { return process_->pid(); }
  int grpc_port() const { return grpc_port_; }
  int http_port() const { return http_port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(grpc_port_); }
  const std::string& ca_pem() const { return ca_.certificate_pem(); }
  std::filesystem::path ca_file() const { return dir_ / "ca.pem"; }
  const std::filesystem::path& database() const { return options_.database; }
  const std::filesystem::path& dir() const { return dir_.path(); }
  std::filesystem::path config() const { return dir_ / "verifier.yaml"; }
  std::string log() const { return read_file(dir_ / "log"); }  // since the last start

  // `assay` as this verifier's operator.
  Finished assay(const Arguments& arguments) const;
  std::string token() const;

  struct HttpAnswer {
    int status = 0;  // 0: none came
    std::string body;
  };
  HttpAnswer get(const std::string& path) const;
  // A sample of /metrics, such as `assay_node_state{node="n1",state="trusted"}`; nothing when
  // /metrics does not have it or does not answer.
  std::optional<double> metric(const std::string& sample) const;
  // Memory that it has in RAM now, in bytes.
  std::size_t resident_bytes() const;

 private:
  void write_config() const;

  TempDir dir_;
  TestCa ca_;
  Options options_;
  int grpc_port_;
  int http_port_;
  std::optional<ChildProcess> process_;
};

// A TCP port of 127.0.0.1 that is free, and that the kernel gives to nobody who does not ask for
// it: it stays free while a verifier is dead.
int free_port();

// Whether the test may mount file systems.
bool running_as_root();

}  // namespace assay::testing
