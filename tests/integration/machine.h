// A node of a test's own: a software TPM, a measurement log that grows as a kernel's does, and the
// built assay-agent.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/running_verifier.h"
#include "tests/support/ima_builder.h"
#include "tests/support/swtpm.h"

namespace assay::testing {

class Machine {
 public:
  // Boots with a log of boot_aggregate only, which its kernel takes of bank `aggregate`. The agent does
  // not run yet. `more` are further lines of its configuration.
  explicit Machine(const RunningVerifier& verifier, const std::string& more = {},
                   HashAlg aggregate = HashAlg::kSha256);

  // Measures a file, into the log first and into every bank of the TPM then, as the kernel does.
  void run(std::string_view path, std::string_view content);

  // The same for a file with this security.ima.
  void run_signed(std::string_view path, std::string_view content, const Bytes& signature);

  // The same for a file that this user owns, by a policy that asks for it.
  void run_file_of(std::string_view path, std::string_view content, std::uint32_t owner);

  // The next boot, of a TPM that keeps these banks alone. The agent has to be stopped.
  void reboot_with_banks(const std::vector<HashAlg>& banks);

  // kexec: the TPM is not reset, and the log goes on with the new kernel's boot_aggregate.
  void kexec();

  // A power cut and the next boot: the TPM is reset and the log starts anew. The agent has to be
  // stopped.
  void reboot();

  // The attestation key as `assay-agent --print-ak` writes it: a TPM2B_PUBLIC.
  std::filesystem::path print_ak();

  void start_agent();
  int stop_agent();  // SIGTERM; its exit status
  void kill_agent();

  Swtpm& tpm() { return tpm_; }
  const std::filesystem::path& dir() const { return dir_.path(); }
  std::filesystem::path ima_log() const { return dir_ / "ima_log"; }
  std::filesystem::path config() const { return dir_ / "agent.yaml"; }
  std::string agent_log() const { return read_file(dir_ / "agent.log"); }  // of every start

 private:
  void boot();
  void publish(std::size_t from);

  HashAlg aggregate_;
  TempDir dir_;
  Swtpm tpm_;
  ImaBuilder log_;
  std::optional<ChildProcess> agent_;
};

}  // namespace assay::testing
