// The agent's configuration: one YAML file, read once. deploy/agent.yaml.example explains every key.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace assay::agent {

// P-384 signs with SHA-384, the others with SHA-256; RSA with RSASSA, or RSAPSS where it says so.
enum class AkAlgorithm : std::uint8_t { kEccP256, kEccP384, kRsa2048, kRsa2048Pss, kRsa3072 };

// Endorsement keys of the TCG's EK Credential Profile 2.5, annex B: L-1 and L-2 are "low".
enum class EkChoice : std::uint8_t {
  kAuto,  // the first that has a certificate
  kRsa2048Low,
  kEccP256Low,
  kRsa2048,
  kEccP256,
  kEccP384,
  kEccP521,
  kRsa3072,
  kRsa4096,
};

struct AkSettings {
  AkAlgorithm algorithm = AkAlgorithm::kEccP256;
  // Where the key is kept in the TPM. A persistent handle of the owner's range, 0x81000000 to
  // 0x817fffff. The default lies in the part that the TCG sets aside for primary keys of the
  // endorsement hierarchy, which ours is (Registry of Reserved TPM 2.0 Handles and Localities).
  std::uint32_t handle = 0x81010a55;
};

struct TpmSettings {
  std::string tcti = "device:/dev/tpmrm0";  // as tpm2-tss names it: "device:PATH", "swtpm:path=…"
  AkSettings ak = {};
  EkChoice ek = EkChoice::kAuto;
};

struct AgentConfig {
  std::string verifier;     // host:port
  std::string ca_pem;       // certificates that the verifier's has to lead to
  std::string server_name;  // expected in the verifier's certificate; empty: the host of `verifier`
  TpmSettings tpm;
  std::string ima_log = "/sys/kernel/security/ima/binary_runtime_measurements";
  std::string ima_count = "/sys/kernel/security/ima/runtime_measurements_count";
  std::string boot_log = "/sys/kernel/security/tpm0/binary_bios_measurements";
  std::string command_line = "/proc/cmdline";
  std::string kubelet_pods;  // folder of pods whose user ids are claimed; empty: none are
  std::string node_name;     // that it enrols under; the host's, unless the file says another
  std::string join_token;    // with which it enrols; empty: none, or its file is gone
  std::chrono::milliseconds poll_interval{500};  // of ima_count; 50 ms to 1 h
};

// Reads and checks a configuration file and the CA file that it names. Relative paths are taken
// from the file's folder.
//
// Fails with
//   kFileUnreadable  the configuration or the CA file cannot be read
//   kConfigInvalid   naming file, line and key: not YAML, an unknown key (the known ones are
//                    listed), a key twice, a value of the wrong form, `verifier` or `ca_file`
//                    missing, a CA file without a certificate, a token file that others may read
Result<AgentConfig> load_config(const std::filesystem::path& path);

// "500ms", "30s", "5m", "1h" as a duration; nothing for any other text, or for zero.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace assay::agent
