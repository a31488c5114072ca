// How a TPM that nobody knows becomes a node.
#pragma once

#include <string>

#include "core/enrolment/activation.h"
#include "verifier/clock.h"
#include "verifier/entropy.h"
#include "verifier/ledger.h"

namespace assay {

// What an agent says of its machine. Nothing in it has been checked.
struct Identity {
  std::string node_name;
  Bytes ek_public;  // TPM2B_PUBLIC
  UntrustedEkCertificate certificate;
  std::string join_token;  // empty: none
};

// A machine that has a credential to open.
struct Candidate {
  OutstandingCredential credential;
  std::string name;
  std::string join_token;
};

// Safe from any thread; borrows what it is given.
class Enrolment {
 public:
  struct World {
    Ledger& ledger;
    const AdmissionPolicy& policy;
    const TrustedRoots& roots;
    const Clock& clock;
    EntropySource entropy;
  };

  explicit Enrolment(World world) : world_(std::move(world)) {}

  // Checks both keys and the certificate, and makes a credential that only their TPM opens.
  // Fails with kEnrolNameInvalid, the faults of parse_ek_public() and check_enrollable(), and those
  // of verify_ek_certificate() unless the policy names the key as one without a certificate.
  Result<Candidate> examine(const AkPublic& ak, const Identity& identity) const;

  // Lets the machine in when `opened` is what its credential holds and a rule of the policy admits
  // it. Fails as OutstandingCredential::open(), choose_admission_rule() and Store::admit(), and with
  // kEnrolPending when it has to wait for an operator.
  Result<NodeId> admit(Candidate&& candidate, ByteView opened) const;

 private:
  Result<EndorsedEk> endorse(const EkPublic& ek, const UntrustedEkCertificate& certificate) const;

  World world_;
};

}  // namespace assay
