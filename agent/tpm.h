// The node's TPM: the attestation key and quotes. tpm.cc is the only includer of ESYS.
#pragma once

#include "agent/config.h"
#include "core/challenge.h"
#include "core/result.h"
#include "core/tpm_quote.h"

namespace assay::agent {

// The attestation key (AK) is a primary key of the endorsement hierarchy, made persistent. The
// hierarchy's own seed makes it, so the same TPM makes the same key again, and the counters in its
// quotes are the TPM's own (TPM 2.0 Library, Part 1, 36.7 obfuscates them for other hierarchies). A
// persistent key is not lost, and leaks no object in the TPM, when the agent is killed.
//
// The TPM is opened for each operation and closed after it: between challenges the agent holds
// nothing of it, and a TPM that went away and came back is just there again.
//
// For one thread; every operation waits for the TPM.
class Tpm {
 public:
  // Loads the AK, or makes it when there is nothing at `settings.ak.handle`. An object that is
  // there already has to be exactly our kind of key; it is never overwritten.
  //
  // Fails with
  //   kTpmUnavailable  the TPM cannot be opened or does not answer
  //   kAlreadyExists   the object at the handle is another kind of key
  //   kTpmFailed       the TPM refused a command, for instance because the owner or endorsement
  //                    hierarchy has a password
  //   kUnavailable     the TPM is busy, even after several tries
  static Result<Tpm> open(TpmSettings settings);

  // TPM2B_PUBLIC as the TPM marshals it; parse_ak_public() accepts it.
  const Bytes& ak_public() const { return ak_public_; }

  // Has the TPM sign `selection` and `nonce`, and reads the values that it signed. The kernel may
  // extend a PCR between the two: then the quote is taken anew, a bounded number of times.
  //
  // Fails with those of open(), and
  //   kTpmFailed    a selected PCR bank is not there, or the TPM now makes another key
  //   kUnavailable  the PCRs did not hold still
  Result<UntrustedQuote> quote(const Nonce& nonce, const PcrSelection& selection) const;

 private:
  Tpm(TpmSettings settings, Bytes ak_public)
      : settings_(std::move(settings)), ak_public_(std::move(ak_public)) {}

  TpmSettings settings_;
  Bytes ak_public_;
};

}  // namespace assay::agent
