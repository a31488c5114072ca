#include "tests/integration/running_verifier.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <sstream>

namespace assay::testing {
namespace {

// Below the range that Linux takes ports from by itself (ip_local_port_range: 32768 and up).
constexpr int kFirstPort = 20'000;
constexpr int kPorts = 12'000;
constexpr int kPortsPerProcess = 40;

constexpr std::string_view kToken = "0123456789abcdef0123456789abcdef";

bool can_listen(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool out = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return out;
}

void write_secret(const std::filesystem::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content << '\n';
  std::filesystem::permissions(path, std::filesystem::perms(0600));
}

}  // namespace

int free_port() {
  static int next = static_cast<int>(::getpid()) * kPortsPerProcess % kPorts;
  for (int tries = 0; tries < kPorts; ++tries) {
    const int port = kFirstPort + next++ % kPorts;
    if (can_listen(port)) return port;
  }
  FAIL("no TCP port is free");
  return 0;
}

bool running_as_root() {
  return ::geteuid() == 0;
}

RunningVerifier::RunningVerifier(const Options& options)
    : options_(options), grpc_port_(free_port()), http_port_(free_port()) {
  if (options_.database.empty()) options_.database = dir_ / "assay.db";
  const TestCa::Identity server = ca_.issue("DNS:localhost,IP:127.0.0.1");
  dir_.write("ca.pem", ca_.certificate_pem());
  dir_.write("server.pem", server.certificate_pem);
  write_secret(dir_ / "server.key", server.key_pem);
  write_secret(dir_ / "token", kToken);
  for (const auto& [name, content] : options_.files) write_secret(dir_ / name, content);
  write_config();
  start();
}

void RunningVerifier::write_config() const {
  std::ostringstream out;
  out << "grpc_listen: 127.0.0.1:" << grpc_port_ << "\nhttp_listen: 127.0.0.1:" << http_port_
      << "\ntls: {certificate: server.pem, key: server.key}\noperator_token_file: token\n"
      << "database: " << options_.database.string() << "\ninterval: " << options_.interval << '\n'
      << options_.more << '\n';
  dir_.write("verifier.yaml", out.str());
}

void RunningVerifier::set_interval(const std::string& interval) {
  options_.interval = interval;
  write_config();
}

void RunningVerifier::start() {
  launch();
  await_start();
}

void RunningVerifier::launch() {
  std::filesystem::remove(dir_ / "log");
  process_.emplace(ChildProcess::Options{
      .argv = {ASSAY_VERIFIER_PROGRAM, "--config", config().string()}, .output = dir_ / "log"});
}

void RunningVerifier::await_start() {
  const bool started =
      eventually([this] { return !running() || log().find("event=started") != std::string::npos; });
  INFO(log());
  REQUIRE(started);
  REQUIRE(running());
}

int RunningVerifier::stop() {
  process_->signal(SIGTERM);
  const std::optional<int> status = process_->wait();
  INFO(log());
  REQUIRE(status.has_value());
  return *status;
}

void RunningVerifier::kill() {
  process_->signal(SIGKILL);
  REQUIRE(process_->wait() == 128 + SIGKILL);
}

std::string RunningVerifier::token() const {
  return std::string(kToken);
}

Finished RunningVerifier::assay(const Arguments& arguments) const {
  return run_assay(arguments, {{"ASSAY_SERVER", address()},
                               {"ASSAY_CA", ca_file().string()},
                               {"ASSAY_TOKEN_FILE", (dir_ / "token").string()}});
}

RunningVerifier::HttpAnswer RunningVerifier::get(const std::string& path) const {
  httplib::Client client("127.0.0.1", http_port_);
  client.set_connection_timeout(kPatience);
  client.set_read_timeout(kPatience);
  const httplib::Result answer = client.Get(path);
  if (!answer) return {};
  return {.status = answer->status, .body = answer->body};
}

std::optional<double> RunningVerifier::metric(const std::string& sample) const {
  std::istringstream lines(get("/metrics").body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(sample + ' ')) return std::stod(line.substr(sample.size() + 1));
  }
  return std::nullopt;
}

std::size_t RunningVerifier::resident_bytes() const {
  std::istringstream lines(read_file("/proc/" + std::to_string(pid()) + "/status"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6)) * 1024;
  }
  return 0;
}

}  // namespace assay::testing
