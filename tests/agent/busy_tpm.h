// A TPM that somebody else uses at the worst moment: just before a command of ours.
#pragma once

#include <tss2/tss2_tpm2_types.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "tests/support/swtpm.h"

namespace assay::testing {

// What comes between: `act` is called before each of the first `times` commands of this code.
struct Interference {
  TPM2_CC before;
  std::function<void()> act;
  int times;
};

// Stands between a TPM's user and `tpm`, which is borrowed.
class BusyTpm {
 public:
  BusyTpm(const Swtpm& tpm, Interference interference);
  ~BusyTpm();
  BusyTpm(BusyTpm&&) = delete;

  std::string tcti() const { return "swtpm:path=" + socket_; }
  int interfered() const { return interfered_; }

 private:
  enum class Channel { kCommands, kControl };
  void serve();
  void relay(int client, Channel channel);
  void interfere(ByteView command);

  const Swtpm& tpm_;
  Interference interference_;
  std::atomic<int> interfered_ = 0;
  TempDir dir_;
  std::string socket_;
  int commands_;
  int control_;
  std::jthread thread_;
};

}  // namespace assay::testing
