// What goes wrong for users: each is one clear line, an exit status, and nothing half written.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <sstream>

#include "tests/integration/agent_stream.h"
#include "tests/integration/machine.h"
#include "tests/integration/operator_client.h"
#include "tests/integration/simulated_agent.h"

using namespace assay;
using namespace assay::testing;

namespace {

namespace fs = std::filesystem;

// Lines that are not about things that went well.
std::size_t count_complaints(const std::string& text) {
  std::size_t out = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" level=info ") == std::string::npos) ++out;
  }
  return out;
}

// Whether it ended with `exit` and one complaint on standard error that holds all of `parts`.
bool fails_with(const Finished& done, int exit, const std::vector<std::string>& parts) {
  CAPTURE(done.err);
  CHECK(done.exit == exit);
  CHECK(count_complaints(done.err) == 1);
  CHECK(done.out.empty());
  bool whole = true;
  for (const std::string& part : parts) {
    CAPTURE(part);
    const bool found = done.err.find(part) != std::string::npos;
    CHECK(found);
    whole = whole && found;
  }
  return whole && done.exit == exit;
}

void replace_in(const fs::path& file, const std::string& from, const std::string& to) {
  std::string text = read_file(file);
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  std::ofstream(file) << text.replace(at, from.size(), to);
}

// The files of a verifier that would start, but is not running.
struct Prepared {
  RunningVerifier verifier;
  Prepared() { REQUIRE(verifier.stop() == 0); }

  fs::path file(const std::string& name) const { return verifier.dir() / name; }
  void configure(const std::string& from, const std::string& to) const {
    replace_in(verifier.config(), from, to);
  }
  Finished run() const {
    return run_program({ASSAY_VERIFIER_PROGRAM, "--config", verifier.config().string()});
  }
};

// Holds a TCP port of 127.0.0.1.
class TakenPort {
 public:
  explicit TakenPort(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd_, 1) == 0);
  }
  ~TakenPort() { ::close(fd_); }
  TakenPort(TakenPort&&) = delete;

 private:
  int fd_;
};

// A file system of `kib` KiB.
class SmallDisk {
 public:
  explicit SmallDisk(int kib) {
    const std::string size = "size=" + std::to_string(kib) + "k";
    mounted_ = ::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, size.c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(dir_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(SmallDisk&&) = delete;

  bool mounted() const { return mounted_; }
  fs::path path(const std::string& name) const { return dir_ / name; }
  void fill() const { std::ofstream(path("ballast")) << std::string(std::size_t{64} << 20, 'x'); }
  void make_room() const { fs::remove(path("ballast")); }

 private:
  TempDir dir_;
  bool mounted_ = false;
};

}  // namespace

TEST_CASE("assay-verifier: an unknown key of the configuration is named, with its line") {
  const Prepared prepared;
  prepared.configure("interval:", "intervall:");
  CHECK(fails_with(prepared.run(), 2,
                   {"config.invalid", "verifier.yaml", "line 6", "unknown key 'intervall'",
                    "known are", "interval"}));
}

TEST_CASE("assay-verifier: a key file that cannot be read, or that others can read, is named") {
  const Prepared prepared;
  fs::permissions(prepared.file("server.key"), fs::perms(0644));
  CHECK(fails_with(prepared.run(), 1, {"file.unreadable", "server.key", "chmod 600"}));
  fs::remove(prepared.file("server.key"));
  CHECK(fails_with(prepared.run(), 1, {"file.unreadable", "server.key", "No such file"}));
}

TEST_CASE("assay-verifier: a key that is not the certificate's is refused") {
  const Prepared prepared;
  std::ofstream(prepared.file("server.key")) << TestCa().issue("DNS:x").key_pem;
  CHECK(fails_with(prepared.run(), 2,
                   {"config.invalid", "tls: key is not the key of the certificate"}));
}

TEST_CASE("assay-verifier: a port that is taken is named") {
  const Prepared prepared;
  const RunningVerifier& verifier = prepared.verifier;
  {
    const TakenPort taken(verifier.grpc_port());
    CHECK(fails_with(prepared.run(), 1, {"peer.unavailable", verifier.address(), "grpc_listen"}));
  }
  const TakenPort taken(verifier.http_port());
  CHECK(fails_with(prepared.run(), 1,
                   {"peer.unavailable", std::to_string(verifier.http_port()), "http_listen"}));
}

TEST_CASE("assay-verifier: a database that is another program's, or in use, is left alone") {
  const Prepared prepared;
  const std::string text = "not a database, but somebody's notes of many years\n";
  const fs::path notes = prepared.file("notes");
  std::ofstream(notes) << text;
  prepared.configure(prepared.verifier.database().string(), notes.string());
  CHECK(fails_with(prepared.run(), 1, {"store.failed", "notes"}));
  CHECK(read_file(notes) == text);

  RunningVerifier first;
  RunningVerifier second;
  REQUIRE(second.stop() == 0);
  replace_in(second.config(), second.database().string(), first.database().string());
  CHECK(fails_with(run_program({ASSAY_VERIFIER_PROGRAM, "--config", second.config().string()}), 1,
                   {"store.failed", first.database().string(), "another"}));
  CHECK(first.get("/readyz").status == 200);
}

TEST_CASE("assay-agent: without a TPM it says so, and what to do") {
  const RunningVerifier verifier;
  const TempDir dir;
  const fs::path config = dir.write("agent.yaml", "verifier: " + verifier.address() +
                                                      "\nca_file: " + verifier.ca_file().string() +
                                                      "\ntcti: device:/nonexistent/tpmrm0\n");
  CHECK(fails_with(run_program({ASSAY_AGENT_PROGRAM, "--config", config.string()}), 1,
                   {"tpm.unavailable", "/nonexistent/tpmrm0"}));
}

TEST_CASE("assay-agent: on a kernel without IMA it says so, and what to do") {
  const RunningVerifier verifier;
  const Machine machine(verifier);
  fs::remove(machine.ima_log());
  CHECK(fails_with(run_program({ASSAY_AGENT_PROGRAM, "--config", machine.config().string()}), 1,
                   {"kernel.no_ima", "ima_log", "CONFIG_IMA"}));
}

TEST_CASE("assay-agent: an unknown key of the configuration is named, with its line") {
  const RunningVerifier verifier;
  const Machine machine(verifier);
  replace_in(machine.config(), "poll_interval:", "pol:");
  CHECK(fails_with(run_program({ASSAY_AGENT_PROGRAM, "--config", machine.config().string()}), 2,
                   {"config.invalid", "agent.yaml", "line 6", "unknown key 'pol'"}));
}

TEST_CASE("assay: a malformed golden set is refused, and what stands stays") {
  const RunningVerifier verifier;
  const OperatorClient operators(verifier);
  operators.push_golden("host", {"good"});
  const std::string before = verifier.assay({"golden", "show", "host", "--json"}).out;
  const fs::path set = verifier.dir() / "broken.json";
  std::ofstream(set) << R"({"_type": "https://in-toto.io/Statement/v1", "subject": [)";
  CHECK(fails_with(verifier.assay({"golden", "push", set.string()}), 3, {"broken.json"}));
  CHECK(verifier.assay({"golden", "show", "host", "--json"}).out == before);
  CHECK(verifier.metric("assay_golden_images") == 1);
}

TEST_CASE("assay-verifier: a malformed golden set that `assay` did not stop is refused too") {
  const RunningVerifier verifier;
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + verifier.token());
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const auto stub = v1::GoldenService::NewStub(connect(verifier));
  v1::PushResponse response;
  const auto writer = stub->Push(&context, &response);
  v1::PushRequest request;
  request.set_data("{}");
  writer->Write(request);
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(status.error_message().starts_with("golden.malformed"));
  CHECK(verifier.metric("assay_golden_images") == 0);
}

TEST_CASE("assay: a verifier that is not there, or a missing or wrong token, is one line") {
  RunningVerifier verifier;
  const fs::path wrong = verifier.dir() / "wrong";
  std::ofstream(wrong) << std::string(32, 'x');
  fs::permissions(wrong, fs::perms(0600));
  const Environment server = {{"ASSAY_SERVER", verifier.address()},
                              {"ASSAY_CA", verifier.ca_file().string()}};
  CHECK(fails_with(run_assay({"node", "list"}, server), 1, {"assay: ", "--token-file"}));
  CHECK(fails_with(run_assay({"node", "list", "--token-file", wrong.string()}, server), 1,
                   {"assay: ", "--token-file"}));
  CHECK(fails_with(run_assay({"node", "list", "--token-file", "/nonexistent"}, server), 3,
                   {"assay: ", "/nonexistent"}));
  CHECK(verifier.stop() == 0);
  CHECK(fails_with(verifier.assay({"node", "list", "--timeout", "2"}), 3,
                   {"assay: ", "cannot reach the verifier at " + verifier.address()}));
}

TEST_CASE(
    "assay-verifier: on a full disk it says so, keeps its verdicts, and recovers when there is "
    "room") {
  const SmallDisk disk(2048);
  if (!disk.mounted()) {
    MESSAGE("left out: only root can mount a small disk");
    return;
  }
  RunningVerifier verifier({.interval = "500ms", .database = disk.path("assay.db")});
  const OperatorClient operators(verifier);
  operators.push_golden("host", {"good"});
  SimulatedAgent agent;
  operators.enrol("n1", agent.ak_public());
  agent.connect(connect(verifier));
  REQUIRE(eventually([&] { return agent.seen().state == "trusted"; }));

  disk.fill();
  agent.run("/tmp/evil", "evil");
  REQUIRE(eventually([&] { return verifier.get("/readyz").status == 503; }));
  CHECK(verifier.get("/readyz").body.find("store.full") != std::string::npos);
  CHECK(verifier.log().find("store.full") != std::string::npos);
  CHECK(verifier.get("/healthz").status == 200);
  CHECK(operators.violations().empty());

  disk.make_room();
  CHECK(eventually([&] { return agent.seen().state == "compromised"; }));
  CHECK(eventually([&] { return verifier.get("/readyz").status == 200; }));
  CHECK(operators.violations().size() == 1);
  CHECK(verifier.stop() == 0);
}
