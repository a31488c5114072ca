#include "tests/integration/machine.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>

namespace assay::testing {
namespace {

// In place and in one write: the agent holds the file open, and never sees half of it.
void write_at(const std::filesystem::path& path, std::size_t offset, std::string_view bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
  ::close(fd);
  REQUIRE(written == static_cast<ssize_t>(bytes.size()));
}

}  // namespace

Machine::Machine(const RunningVerifier& verifier, const std::string& more, HashAlg aggregate)
    : aggregate_(aggregate) {
  dir_.write("agent.yaml",
             "verifier: " + verifier.address() + "\nca_file: " + verifier.ca_file().string() +
                 "\ntcti: " + tpm_.tcti() +
                 "\nima_log: ima_log\nima_count: ima_count\npoll_interval: 50ms\nboot_log: none\n" +
                 more);
  boot();
}

void Machine::boot() {
  log_ = ImaBuilder();
  dir_.write("ima_log", "");
  dir_.write("ima_count", "");
  kexec();
}

void Machine::kexec() {
  const std::size_t from = log_.bytes().size();
  log_.boot_aggregate({}, aggregate_);  // swtpm's PCRs 0 to 9 are zero: it has no firmware
  publish(from);
}

void Machine::reboot() {
  tpm_.restart();
  boot();
}

void Machine::reboot_with_banks(const std::vector<HashAlg>& banks) {
  tpm_.keep_banks(banks);
  boot();
}

void Machine::run(std::string_view path, std::string_view content) {
  const std::size_t from = log_.bytes().size();
  log_.file(path, digest_of(content));
  publish(from);
}

void Machine::run_signed(std::string_view path, std::string_view content, const Bytes& signature) {
  const std::size_t from = log_.bytes().size();
  log_.record(kImaPcr, "ima-sig", {d_ng(digest_of(content)), n_ng(path), signature});
  publish(from);
}

void Machine::run_file_of(std::string_view path, std::string_view content, std::uint32_t owner) {
  const std::size_t from = log_.bytes().size();
  log_.file_of(path, digest_of(content), owner);
  publish(from);
}

void Machine::publish(std::size_t from) {
  const ByteView news = ByteView(log_.bytes()).subspan(from);
  write_at(ima_log(), from, as_text(news));
  write_at(dir_ / "ima_count", 0, std::to_string(log_.entries()) + "\n");
  tpm_.measure(news);
}

std::filesystem::path Machine::print_ak() {
  const std::filesystem::path out = dir_ / "ak.pub";
  const Finished done =
      run_program({ASSAY_AGENT_PROGRAM, "--config", config().string(), "--print-ak", out.string()});
  INFO(done.err);
  REQUIRE(done.exit == 0);
  return out;
}

void Machine::start_agent() {
  agent_.emplace(ChildProcess::Options{.argv = {ASSAY_AGENT_PROGRAM, "--config", config().string()},
                                       .output = dir_ / "agent.log"});
}

int Machine::stop_agent() {
  agent_->signal(SIGTERM);
  const std::optional<int> status = agent_->wait();
  INFO(agent_log());
  REQUIRE(status.has_value());
  return *status;
}

void Machine::kill_agent() {
  agent_->signal(SIGKILL);
  REQUIRE(agent_->wait() == 128 + SIGKILL);
}

}  // namespace assay::testing
