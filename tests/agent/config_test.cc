#include "agent/config.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace assay::agent {
namespace {

using namespace std::chrono_literals;
using testing::TempDir;

constexpr std::string_view kPem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const std::string kRequired = "verifier: verifier.example:7443\nca_file: ca.pem\n";

Result<AgentConfig> load(std::string_view yaml) {
  const TempDir dir;
  dir.write("ca.pem", kPem);
  dir.write("empty.pem", "nothing\n");
  return load_config(dir.write("agent.yaml", yaml));
}

TEST_CASE("load_config: the two required keys are enough, and the rest has defaults") {
  const auto config = load(kRequired);
  REQUIRE(config.has_value());
  CHECK(config->verifier == "verifier.example:7443");
  CHECK(config->ca_pem == kPem);
  CHECK(config->server_name.empty());
  CHECK(config->tpm.tcti == "device:/dev/tpmrm0");
  CHECK(config->tpm.ak.algorithm == AkAlgorithm::kEccP256);
  CHECK(config->tpm.ak.handle == 0x81010a55);
  CHECK(config->ima_log == "/sys/kernel/security/ima/binary_runtime_measurements");
  CHECK(config->ima_count == "/sys/kernel/security/ima/runtime_measurements_count");
  CHECK(config->poll_interval == 500ms);
  CHECK(config->kubelet_pods.empty());
}

TEST_CASE("load_config: every key is read") {
  const TempDir dir;
  dir.write("ca.pem", kPem);
  const auto config = load_config(dir.write("agent.yaml", R"(
verifier: "[fd00::1]:443"
ca_file: ca.pem
server_name: assay.example
tcti: swtpm:host=127.0.0.1,port=2321
ak:
  algorithm: rsa-2048
  handle: 0x81000001
ima_log: log
ima_count: /elsewhere/count
kubelet_pods: /var/lib/kubelet/pods
poll_interval: 2s
)"));
  REQUIRE(config.has_value());
  CHECK(config->verifier == "[fd00::1]:443");
  CHECK(config->server_name == "assay.example");
  CHECK(config->tpm.tcti == "swtpm:host=127.0.0.1,port=2321");
  CHECK(config->tpm.ak.algorithm == AkAlgorithm::kRsa2048);
  CHECK(config->tpm.ak.handle == 0x81000001);
  CHECK(config->ima_log == dir / "log");
  CHECK(config->ima_count == "/elsewhere/count");
  CHECK(config->kubelet_pods == "/var/lib/kubelet/pods");
  CHECK(config->poll_interval == 2s);
}

TEST_CASE("load_config: what is wrong is named with its line, its key and what to write") {
  struct Row {
    std::string name;
    std::string yaml;
    std::string says;
  };
  const Row rows[] = {
      {"no verifier", "ca_file: ca.pem\n", "verifier is required"},
      {"no CA", "verifier: a:1\n", "ca_file is required"},
      {"an unknown key", kRequired + "pol_interval: 1s\n",
       "line 3: unknown key 'pol_interval'; known are ak, boot_log, ca_file, ek, ima_count, "
       "ima_log, "
       "join_token_file, kubelet_pods, node_name, poll_interval, server_name, tcti, verifier"},
      {"an unknown key of the AK", kRequired + "ak:\n  handel: 0x81000001\n",
       "line 4: ak: unknown key 'handel'; known are algorithm, handle"},
      {"a key twice", kRequired + "tcti: swtpm:path=a\ntcti: swtpm:path=b\n", "line 4: tcti twice"},
      {"a key that is no word", kRequired + "[a, b]: c\n", "line 3: unknown key ''"},
      {"a list for a value", kRequired + "server_name: [a]\n",
       "line 3: server_name: write one value"},
      {"a value for a mapping", kRequired + "ak: ecc-p256\n",
       "line 3: ak: write keys, one a line: algorithm, handle"},
      {"an empty file", "", "write keys, one a line"},
      {"a verifier without a port", "verifier: host\n", "line 1: verifier: write HOST:PORT"},
      {"a verifier with a scheme", "verifier: unix:/run/x:1\n",
       "line 1: verifier: write HOST:PORT"},
      {"a verifier without a host", "verifier: ':7443'\n", "line 1: verifier: write HOST:PORT"},
      {"a port that is none", "verifier: host:65536\n", "line 1: verifier: write HOST:PORT"},
      {"a bare IPv6 address", "verifier: fd00::1:7443\n", "line 1: verifier: write HOST:PORT"},
      {"an empty value", "verifier: ''\n", "line 1: verifier: write one value"},
      {"a CA file without a certificate", "ca_file: empty.pem\n",
       "line 1: ca_file: empty.pem holds no PEM certificate"},
      {"a TCTI that runs a program", "tcti: 'cmd:rm -rf /'\n", "line 1: tcti: write device:PATH"},
      {"a TCTI that is a library", "tcti: /tmp/x.so\n", "line 1: tcti: write device:PATH"},
      {"a TCTI without its device", "tcti: 'device:'\n", "line 1: tcti: write device:PATH"},
      {"an unknown algorithm", "ak: {algorithm: rsa}\n",
       "ak: algorithm: write one of ecc-p256, ecc-p384, rsa-2048, rsa-2048-pss, rsa-3072, not"},
      {"an unknown endorsement key", "ek: rsa\n", "ek: write one of auto, rsa-2048-low, "},
      {"a handle that is decimal", "ak: {handle: 2164326997}\n", "ak: handle: write a persistent"},
      {"a transient handle", "ak: {handle: 0x80000000}\n", "ak: handle: write a persistent"},
      {"a platform handle", "ak: {handle: 0x81800000}\n", "ak: handle: write a persistent"},
      {"a handle with more behind it", "ak: {handle: 0x81000001z}\n", "ak: handle: write"},
      {"a duration without a unit", "poll_interval: 500\n",
       "line 1: poll_interval: write a duration"},
      {"polling too fast", "poll_interval: 49ms\n", "line 1: poll_interval: write a duration"},
      {"polling too slowly", "poll_interval: 61m\n", "line 1: poll_interval: write a duration"},
      {"not YAML", "verifier: [\n", "not YAML"},
      {"control characters", "\"a\\e[31m\": b\n", "unknown key 'a\\x1b[31m'"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto config = load(row.yaml);
    REQUIRE_FALSE(config.has_value());
    CHECK(config.error().id == FaultId::kConfigInvalid);
    CAPTURE(config.error().detail);
    CHECK(config.error().detail.find("agent.yaml: ") != std::string::npos);
    CHECK(config.error().detail.find(row.says) != std::string::npos);
  }
}

TEST_CASE("load_config: a file that cannot be read is named") {
  const auto missing = load_config("/nowhere/agent.yaml");
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().id == FaultId::kFileUnreadable);
  CHECK(missing.error().detail.find("/nowhere/agent.yaml: No such file") != std::string::npos);

  const auto no_ca = load("verifier: a:1\nca_file: gone.pem\n");
  REQUIRE_FALSE(no_ca.has_value());
  CHECK(no_ca.error().id == FaultId::kFileUnreadable);
  CHECK(no_ca.error().detail.find("line 2: ca_file: gone.pem: No such file") != std::string::npos);
}

// mode 0 means that there is no file.
Result<AgentConfig> load_with_token(std::string_view content, mode_t mode) {
  const TempDir dir;
  dir.write("ca.pem", kPem);
  if (mode != 0) {
    std::filesystem::permissions(dir.write("token", content),
                                 static_cast<std::filesystem::perms>(mode));
  }
  return load_config(dir.write("agent.yaml", kRequired + "join_token_file: token\n"));
}

TEST_CASE("load_config: a join token is one line in a file of its owner's, or gone after its use") {
  const auto config = load_with_token("abc.DEF-9\n", 0600);
  REQUIRE(config.has_value());
  CHECK(config->join_token == "abc.DEF-9");

  const auto used = load_with_token("", 0);
  REQUIRE(used.has_value());
  CHECK(used->join_token.empty());

  const auto shown_to_others = load_with_token("abc\n", 0644);
  REQUIRE_FALSE(shown_to_others.has_value());
  CHECK(shown_to_others.error().id == FaultId::kFileUnreadable);
  CHECK(shown_to_others.error().detail.find("token: others than its owner may read it") !=
        std::string::npos);

  for (const std::string_view bad : {"", "\n", "two words\n", "two\nlines\n", "a\x01"}) {
    CAPTURE(std::string(bad));
    const auto refused = load_with_token(bad, 0600);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().id == FaultId::kConfigInvalid);
    CHECK(refused.error().detail.find("line 3: join_token_file: token holds no join token") !=
          std::string::npos);
  }
}

TEST_CASE("load_config: a file over 1 MiB is refused") {
  const auto config = load(std::string((1 << 20) + 1, '#'));
  REQUIRE_FALSE(config.has_value());
  CHECK(config.error().id == FaultId::kConfigInvalid);
  CHECK(config.error().detail.find("over 1 MiB") != std::string::npos);
}

TEST_CASE("load_config: the example that is shipped is valid but for its CA file") {
  const TempDir dir;
  dir.write("ca.pem", kPem);
  std::string example = testing::read_file(ASSAY_TEST_DATA "/../../deploy/agent.yaml.example");
  const std::string shipped = "/etc/assay/ca.pem";
  REQUIRE(example.find(shipped) != std::string::npos);
  example.replace(example.find(shipped), shipped.size(), "ca.pem");
  const auto config = load_config(dir.write("agent.yaml", example));
  REQUIRE_MESSAGE(config.has_value(), format_fault(config.error()));
  const auto plain = load(kRequired);
  CHECK(config->tpm.ak.handle == plain->tpm.ak.handle);  // it shows the defaults
  CHECK(config->tpm.tcti == plain->tpm.tcti);
  CHECK(config->ima_log == plain->ima_log);
  CHECK(config->ima_count == plain->ima_count);
  CHECK(config->kubelet_pods == plain->kubelet_pods);
  CHECK(config->poll_interval == plain->poll_interval);
}

TEST_CASE("parse_duration: a number and a unit, and nothing else") {
  CHECK(parse_duration("500ms") == 500ms);
  CHECK(parse_duration("30s") == 30s);
  CHECK(parse_duration("5m") == 5min);
  CHECK(parse_duration("1h") == 1h);
  for (const std::string_view bad :
       {"", "s", "0s", "-1s", "1", "1d", "1 s", "1.5s", "99999999999s"}) {
    CAPTURE(std::string(bad));
    CHECK_FALSE(parse_duration(bad).has_value());
  }
}

}  // namespace
}  // namespace assay::agent
