// A software TPM 2.0 of its own for a test: swtpm, as a process.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/pcr.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"

namespace assay::testing {

// tpm2-tss connects to it anew for each command, so several users take turns.
class Swtpm {
 public:
  // Makes a new TPM and starts it. Ends the process when swtpm is not installed or does not start.
  Swtpm();

  std::string tcti() const { return "swtpm:path=" + socket_; }

  // What a power cut and the next boot are to a TPM: PCRs at zero, one reset more, the same keys.
  void restart();
  // The TPM is gone until restart().
  void stop();

  // TPM2_PCR_Allocate, and the reset that makes it so: the TPM keeps these banks, and no other.
  void keep_banks(const std::vector<HashAlg>& banks);

  // TPM2_PCR_Extend of the banks that `digests` are of: what the kernel does for one measurement.
  void extend(PcrIndex pcr, const std::vector<Digest>& digests) const;

  // Extends what the kernel would for each entry of `log`, which starts with any entry, into the
  // sha1, sha256, sha384 and sha512 banks that the TPM keeps. Ends the process when `log` does not parse.
  void measure(ByteView log) const;

  // TPM2_Clear: owner keys are gone, the counters begin at zero; the endorsement keys stay.
  void clear() const;

  // Defines an NV index as a TPM's maker does, and writes it.
  void write_nv(std::uint32_t index, ByteView content) const;

  // Makes the owner hierarchy's password "secret".
  void set_owner_password() const;

  // Makes a primary key of the owner hierarchy, with the public area of `like` (a TPM2B_PUBLIC),
  // persistent at `handle`.
  void plant_owner_key(ByteView like, std::uint32_t handle) const;
  // Takes away the persistent object at `handle`.
  void evict(std::uint32_t handle) const;
  // How many objects are loaded that no one has made persistent.
  std::size_t transient_objects() const;

 private:
  void start();

  TempDir dir_;
  std::string socket_;
  std::optional<ChildProcess> process_;
};

}  // namespace assay::testing
