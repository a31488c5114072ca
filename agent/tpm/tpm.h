// The node's TPM: who it is, the attestation key, and quotes. This room is the only one with ESYS.
#pragma once

#include "agent/config.h"
#include "core/challenge.h"
#include "core/enrolment/credential.h"
#include "core/result.h"
#include "core/tpm_quote.h"

namespace assay::agent {

// What a TPM can show of where it comes from.
struct TpmIdentity {
  Bytes ek_public;       // TPM2B_PUBLIC
  Bytes ek_certificate;  // as NV has it, with whatever stands around it; empty: there is none
  std::vector<Bytes> ek_chain;  // DER, at most 16
};

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

  // The PCR banks that the TPM keeps, of those that we know; as at open().
  const std::vector<HashAlg>& banks() const { return banks_; }

  // The endorsement key that `settings.ek` names, or else the first that has a certificate: made for
  // the moment, which takes some TPMs half a minute. Fails with those of open().
  Result<TpmIdentity> identity() const;

  // What is in a credential for identity()'s key and the AK. Fails with those of open(), and
  //   kRequestInvalid  it does not unmarshal
  //   kTpmFailed       it is for other keys
  Result<Bytes> activate(const Credential& credential) const;

  // Has the TPM sign `selection` and `nonce`, and reads the values that it signed. The kernel may
  // extend a PCR between the two: then the quote is taken anew, a bounded number of times.
  //
  // Fails with those of open(), and
  //   kTpmFailed    a selected PCR bank is not there, or the TPM now makes another key
  //   kUnavailable  the PCRs did not hold still
  Result<UntrustedQuote> quote(const Nonce& nonce, const PcrSelection& selection) const;

 private:
  Tpm(TpmSettings settings, Bytes ak_public, std::vector<HashAlg> banks)
      : settings_(std::move(settings)),
        ak_public_(std::move(ak_public)),
        banks_(std::move(banks)) {}

  // Whether `encoded` is the AK that we have told the verifier of.
  Status check_same(const Bytes& encoded) const;

  TpmSettings settings_;
  Bytes ak_public_;
  std::vector<HashAlg> banks_;
};

}  // namespace assay::agent
