// A node that answers challenges: a TPM in memory, a log that grows as a kernel's does.
#pragma once

#include "core/challenge.h"
#include "tests/support/fake_tpm.h"
#include "tests/support/ima_builder.h"

namespace assay::testing {

class SimulatedNode {
 public:
  // `banks` are those of its TPM, and its kernel takes boot_aggregate of `aggregate`.
  explicit SimulatedNode(std::vector<HashAlg> banks = {HashAlg::kSha256},
                         HashAlg aggregate = HashAlg::kSha256)
      : banks_(std::move(banks)), aggregate_(aggregate), log_(banks_) {
    boot();
  }

  FakeTpm& tpm() { return tpm_; }
  const FakeTpm& tpm() const { return tpm_; }
  const ImaBuilder& log() const { return log_; }

  // Runs a file whose content is `content`.
  void run(std::string_view path, std::string_view content) {
    log_.file(path, digest_of(content));
    tpm_.set(log_.pcrs());
  }

  // The same in a cgroup, on a kernel that records it.
  void run_in_cgroup(std::string_view path, std::string_view content, std::string_view cgroup) {
    log_.file_in_cgroup(path, digest_of(content), cgroup);
    tpm_.set(log_.pcrs());
  }

  // The same, of a file that this user owns, on a kernel that records it.
  void run_file_of(std::string_view path, std::string_view content, std::uint32_t owner) {
    log_.file_of(path, digest_of(content), owner);
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
    log_ = ImaBuilder(banks_);
    boot();
  }

  // Another kernel, without a TPM reset: it has the log so far, and adds its own boot_aggregate.
  void kexec(HashAlg aggregate) {
    log_.boot_aggregate(tpm_.pcrs, aggregate);
    tpm_.set(log_.pcrs());
  }

  UntrustedQuote quote(const Nonce& nonce) {
    ++tpm_.clock.clock_ms;
    return tpm_.quote(nonce);
  }

  // Over what `challenge` selects, as far as the TPM has it.
  UntrustedQuote quote(const Challenge& challenge) {
    const PcrValues all = tpm_.pcrs;
    std::erase_if(tpm_.pcrs,
                  [&](const auto& pcr) { return !challenge.selection.contains(pcr.first); });
    UntrustedQuote out = quote(challenge.nonce);
    tpm_.pcrs = all;
    return out;
  }

  // The log from a byte on; nothing when it is shorter.
  Bytes log_from(std::uint64_t byte) const {
    if (byte >= log_.bytes().size()) return {};
    return {log_.bytes().begin() + static_cast<std::ptrdiff_t>(byte), log_.bytes().end()};
  }

 private:
  void boot() {
    tpm_.pcrs.clear();
    for (const HashAlg bank : banks_) {
      for (std::uint32_t i = 0; i < 16; ++i) {
        tpm_.pcrs.emplace(PcrSlot{bank, *PcrIndex::from(i)}, Digest::zero(bank));
      }
    }
    log_.boot_aggregate(tpm_.pcrs, aggregate_);
    tpm_.set(log_.pcrs());
  }

  std::vector<HashAlg> banks_;
  HashAlg aggregate_;
  FakeTpm tpm_;
  ImaBuilder log_;
};

}  // namespace assay::testing
