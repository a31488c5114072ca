// A kernel that measures files at the worst moment: between a quote and the reading of its PCRs.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "tests/support/swtpm.h"

namespace assay::testing {

// Stands between a TPM's user and `tpm`, and extends PCR 10 just before each of the first `times`
// TPM2_PCR_Read commands. `tpm` is borrowed.
class BusyKernel {
 public:
  BusyKernel(const Swtpm& tpm, int times);
  ~BusyKernel();
  BusyKernel(BusyKernel&&) = delete;

  std::string tcti() const { return "swtpm:path=" + socket_; }
  int extended() const { return extended_; }

 private:
  enum class Channel { kCommands, kControl };
  void serve();
  void relay(int client, Channel channel);
  void meddle(ByteView command);

  const Swtpm& tpm_;
  int times_;
  std::atomic<int> extended_ = 0;
  TempDir dir_;
  std::string socket_;
  int commands_;
  int control_;
  std::jthread thread_;
};

}  // namespace assay::testing
