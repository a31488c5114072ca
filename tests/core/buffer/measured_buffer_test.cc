#include "core/buffer/measured_buffer.h"

#include <doctest/doctest.h>

#include <map>

#include "core/attest.h"
#include "tests/support/certificates.h"
#include "tests/support/evidence_case.h"
#include "tests/support/fake_tpm.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

const Bytes kGarbage = {0x30, 0x82, 0xff, 0xff, 0x00};

Bytes to_bytes(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

Bytes certificate() {
  const openssl::EvpPkey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  return make_certificate(
      {.subject = "kernel\nsigner", .issuer = "i", .key = key.get(), .signer = key.get()});
}

// A log with one buffer in it, as the kernel measures it with hash `alg`.
ImaBuilder log_of(std::string_view name, const Bytes& content, HashAlg alg = HashAlg::kSha256) {
  ImaBuilder log;
  log.record(kImaPcr, "ima-buf", {d_ng(hash(alg, content)), n_ng(name), content});
  return log;
}

ImaEntry only_entry(const ImaBuilder& log) {
  ImaLogReader reader(log.bytes());
  const auto entry = reader.next();
  REQUIRE(entry.has_value());
  REQUIRE(reader.at_end());
  return *entry;
}

std::string words(std::string_view name, const Bytes& content) {
  const ImaBuilder log = log_of(name, content);
  return describe(measured_buffer(only_entry(log)).value());
}

// What a verifier makes of a log whose boot is golden.
std::vector<Fault> judge(ImaBuilder log, const std::vector<Digest>& golden) {
  GoldenSnapshot::Builder builder;
  const auto set = builder.add_set("host");
  for (const Digest& digest : golden) builder.add(set, digest);
  const GoldenSnapshot snapshot = std::move(builder).build();
  FakeTpm tpm;
  tpm.set(log.pcrs());
  const UntrustedQuote quote = tpm.quote(nonce_of(1));
  const AkPublic ak = tpm.ak();
  const Appraisal got = attest({.quote = quote, .ima_log = log.bytes()},
                               {.ak = ak, .nonce = nonce_of(1), .golden = &snapshot});
  REQUIRE(got.log.has_value());
  return got.faults.listed();
}

ImaBuilder booted() {
  FakeTpm tpm;
  ImaBuilder log;
  log.boot_aggregate(tpm.pcrs);
  return log;
}

}  // namespace

TEST_CASE("measured_buffer: a file is none, in whatever template, and neither is a violation") {
  ImaBuilder log;
  log.file("kexec-cmdline", digest_of("a"))
      .record(kImaPcr, "d-ng|n-ng|buf", {d_ng(digest_of("a")), n_ng(".ima"), {}})
      .violation(".ima");
  for (ImaLogReader reader(log.bytes()); !reader.at_end();) {
    const auto entry = reader.next();
    REQUIRE(entry.has_value());
    CHECK_FALSE(measured_buffer(*entry).has_value());
  }
}

TEST_CASE("measured_buffer: the kind goes by the name, and else by the content") {
  struct Row {
    std::string name;
    Bytes content;
    BufferKind want;
    std::string path;
  };
  const Row rows[] = {
      {"kexec-cmdline", to_bytes("quiet"), BufferKind::kCommandLine, "kexec:command-line"},
      {".ima", kGarbage, BufferKind::kKey, "keyring:.ima"},
      {"_evm", kGarbage, BufferKind::kKey, "keyring:_evm"},
      {"mykeys", certificate(), BufferKind::kKey, "keyring:mykeys"},
      {"mykeys", kGarbage, BufferKind::kCriticalData, "critical:mykeys"},
      {"selinux-state", certificate(), BufferKind::kCriticalData, "critical:selinux-state"},
      {"dm_table_load", to_bytes("x"), BufferKind::kCriticalData, "critical:dm_table_load"},
      {"", to_bytes("x"), BufferKind::kCriticalData, "critical:"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const ImaBuilder log = log_of(row.name, row.content);
    const auto got = measured_buffer(only_entry(log));
    REQUIRE(got.has_value());
    CHECK(got->kind == row.want);
    CHECK(golden_path(*got) == row.path);
  }
}

TEST_CASE("describe: keys are told by keyring, subject, size, serial and digest") {
  const Bytes der = certificate();
  const std::string got = words("my\tkeys", der);
  CHECK(got.starts_with("key for keyring my\\x09keys: 'kernel\\x0asigner', EC 256, serial "));
  CHECK(got.ends_with(", certificate " + format_digest(hash(HashAlg::kSha256, der))));
  CHECK(words(".ima", kGarbage) == "key for keyring .ima: not an X.509 certificate, 5 bytes, " +
                                       format_digest(hash(HashAlg::kSha256, kGarbage)));
}

TEST_CASE("describe: command lines and the kernel's own data are told in words") {
  CHECK(words("kexec-cmdline", to_bytes("quiet a=\"b\" \x1b")) ==
        "kexec command line: quiet a=\"b\" \\x1b");
  CHECK(words("kernel_version", to_bytes("6.1.0-56-amd64")) == "kernel version 6.1.0-56-amd64");
  CHECK(words("kexec_load", to_bytes("a=1;")) == "measurement log at kexec_load: a=1;");
  CHECK(words("blacklisted-hash", {0xab, 0xcd}) ==
        "file that the kernel's blacklist refuses, digest abcd");
  CHECK(words("ima_policy_written", to_bytes("x")) ==
        "IMA policy 'ima_policy_written', 1 bytes, " + format_digest(digest_of("x")));
  CHECK(words("own event", to_bytes("x")) ==
        "critical data 'own event', 1 bytes, " + format_digest(digest_of("x")));
  CHECK(words("dm_table_load", to_bytes("x")) ==
        "critical data 'dm_table_load', 1 bytes, " + format_digest(digest_of("x")));
}

TEST_CASE("describe: SELinux's state and policy are told in words") {
  CHECK(words("selinux-state", to_bytes("initialized=1;enforcing=1;checkreqprot=0;")) ==
        "SELinux enforcing: initialized=1;enforcing=1;checkreqprot=0;");
  CHECK(words("selinux-state", to_bytes("initialized=1;enforcing=0;checkreqprot=0;")) ==
        "SELinux permissive: initialized=1;enforcing=0;checkreqprot=0;");
  CHECK(words("selinux-state", to_bytes("initialized=0;enforcing=0;checkreqprot=0;")) ==
        "SELinux without a policy: initialized=0;enforcing=0;checkreqprot=0;");
  CHECK(words("selinux-state", to_bytes("initialized=1;not_enforcing=1;enforcing=2;")) ==
        "SELinux in an unknown state: initialized=1;not_enforcing=1;enforcing=2;");
  const Digest policy = digest_of("policy");
  CHECK(words("selinux-policy-hash", Bytes(policy.bytes().begin(), policy.bytes().end())) ==
        "SELinux policy " + format_digest(policy));
  CHECK(words("selinux-policy-hash", to_bytes("short"))
            .starts_with("SELinux policy of an unknown form, 5 bytes, sha256:"));
}

TEST_CASE("describe: is bounded and without control characters whatever the buffer holds") {
  for (const std::string name : {"kexec-cmdline", ".ima", "selinux-state", "dm_table_load", "x"}) {
    CAPTURE(name);
    const std::string got =
        words(name + std::string(name == "x" ? 5000 : 0, '\n'), Bytes(500'000, '\n'));
    CHECK(got.size() <= kMaxBufferWords);
    CHECK(got.find('\n') == std::string::npos);
  }
}

TEST_CASE("describe: a real kernel's buffers") {
  const std::map<std::uint64_t, std::string> want = {
      {1, "kernel version 6.1.0-56-amd64"},
      {53,
       "key for keyring .builtin_trusted_keys: 'Build time autogenerated kernel key', RSA 4096"},
      {71, "kexec command line: root=/dev/vda ima_policy=tcb kexec 'quoted' utf8=é"},
      {81, "device-mapper table of 'holdout' loaded: linear on 7:0"},
      {82,
       "device-mapper device 'holdout' resumed, table sha256:c0400acd92d23828b31365d4cd6b4273f2"
       "1668bf46adeac1e7297c7f8e3908f0"},
      {83, "device-mapper device 'holdout' renamed to 'holdout2'"},
      {84,
       "device-mapper device 'holdout2' removed, table sha256:c0400acd92d23828b31365d4cd6b4273f"
       "21668bf46adeac1e7297c7f8e3908f0"},
  };
  const Bytes log = load_case("h-imabuf").ima_log;
  std::size_t buffers = 0;
  for (ImaLogReader reader(log); !reader.at_end();) {
    const auto entry = reader.next();
    REQUIRE(entry.has_value());
    const auto buffer = measured_buffer(*entry);
    if (!buffer) continue;
    ++buffers;
    CAPTURE(entry->index);
    CHECK_FALSE(contradicts_buffer(*entry));
    if (want.contains(entry->index)) {
      CHECK(describe(*buffer).starts_with(want.at(entry->index)));
    } else {
      CHECK(buffer->kind == BufferKind::kKey);  // those that the capture added to two keyrings
    }
  }
  CHECK(buffers == 9);
}

TEST_CASE("attest: a buffer that is not golden is a fault of its kind, told in words") {
  struct Row {
    std::string name;
    Bytes content;
    FaultId want;
  };
  const Row rows[] = {
      {".ima", certificate(), FaultId::kImaUnknownKey},
      {"kexec-cmdline", to_bytes("init=/bin/sh"), FaultId::kImaUnknownCommandLine},
      {"selinux-state", to_bytes("initialized=1;enforcing=0;"), FaultId::kImaUnknownCriticalData},
  };
  for (const Row& row : rows) {
    for (const HashAlg alg : kAllHashAlgs) {
      CAPTURE(row.name);
      const Digest digest = hash(alg, row.content);
      ImaBuilder log = booted();
      log.record(kImaPcr, "ima-buf", {d_ng(digest), n_ng(row.name), row.content});
      const auto faults = judge(log, {});
      REQUIRE(faults.size() == 1);
      CHECK(faults[0].id == row.want);
      CHECK(severity_of(faults[0]) == Severity::kCritical);
      CHECK(faults[0].path == row.name);
      CHECK(faults[0].digest == digest);
      CHECK(faults[0].detail == words(row.name, row.content));
      CHECK(judge(log, {digest}).empty());
    }
  }
}

TEST_CASE("attest: buffers past the listed faults are counted, and not read for words") {
  const Bytes der = certificate();
  ImaBuilder log = booted();
  for (std::size_t i = 0; i <= FaultList::kMaxFaults; ++i) {
    log.record(kImaPcr, "ima-buf", {d_ng(hash(HashAlg::kSha256, der)), n_ng("keys"), der});
  }
  FakeTpm tpm;
  tpm.set(log.pcrs());
  const UntrustedQuote quote = tpm.quote(nonce_of(1));
  const AkPublic ak = tpm.ak();
  const GoldenSnapshot nothing;
  const FaultList faults = attest({.quote = quote, .ima_log = log.bytes()},
                                  {.ak = ak, .nonce = nonce_of(1), .golden = &nothing})
                               .faults;
  CHECK(faults.total() == FaultList::kMaxFaults + 1);
  CHECK(faults.listed().back().id == FaultId::kImaUnknownKey);
  CHECK(faults.listed().back().detail == words("keys", der));
}

TEST_CASE("attest: a golden digest vouches for no other buffer than its own") {
  ImaBuilder log = booted();
  log.record(kImaPcr, "ima-buf", {d_ng(digest_of("good")), n_ng(".ima"), to_bytes("evil")});
  const auto faults = judge(log, {digest_of("good")});
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].id == FaultId::kImaBufferDigestMismatch);
  CHECK(faults[0].entry == 1);
}

TEST_CASE("attest: a buffer with a digest that nobody understands is not golden") {
  ImaBuilder log = booted();
  Bytes digest = to_bytes("sm3:");
  digest.resize(digest.size() + 33);
  log.record(kImaPcr, "ima-buf", {digest, n_ng(".ima"), to_bytes("x")});
  const auto faults = judge(log, {digest_of("x")});
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].id == FaultId::kImaUnsupportedDigest);
}
