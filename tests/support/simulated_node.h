// A node that answers challenges: a TPM in memory, a log that grows as a kernel's does.
#pragma once

#include "tests/support/fake_tpm.h"
#include "tests/support/ima_builder.h"

namespace assay::testing {

class SimulatedNode {
 public:
  SimulatedNode() { boot(); }

  FakeTpm& tpm() { return tpm_; }
  const FakeTpm& tpm() const { return tpm_; }
  const ImaBuilder& log() const { return log_; }

  // Runs a file whose content is `content`.
  void run(std::string_view path, std::string_view content) {
    log_.file(path, digest_of(content));
    tpm_.set(log_.pcrs());
  }

  // The kernel could not measure a file.
  void violate(std::string_view path) {
    log_.violation(path);
    tpm_.set(log_.pcrs());
  }

  // A TPM reset: PCRs and log start anew.
  void reboot() {
    ++tpm_.clock.reset_count;
    tpm_.clock.clock_ms = 0;
    log_ = ImaBuilder();
    boot();
  }

  UntrustedQuote quote(const Nonce& nonce) {
    ++tpm_.clock.clock_ms;
    return tpm_.quote(nonce);
  }

  // The log from a byte on; nothing when it is shorter.
  Bytes log_from(std::uint64_t byte) const {
    if (byte >= log_.bytes().size()) return {};
    return {log_.bytes().begin() + static_cast<std::ptrdiff_t>(byte), log_.bytes().end()};
  }

 private:
  void boot() {
    tpm_.set({{{HashAlg::kSha256, kImaPcr}, Digest::zero(HashAlg::kSha256)}});
    log_.boot_aggregate(tpm_.pcrs);
    tpm_.set(log_.pcrs());
  }

  FakeTpm tpm_;
  ImaBuilder log_;
};

}  // namespace assay::testing
