// Quotes and PCRs. For the .cc files of this room.
#pragma once

#include <vector>

#include "agent/tpm/ak.h"
#include "core/challenge.h"
#include "core/tpm_quote.h"

namespace assay::agent {

struct QuoteRequest {
  const Nonce& nonce;
  const PcrSelection& selection;
  HashAlg hash;  // that the key signs with
};

// Fails with kUnavailable when the PCRs that were read are not those that were signed.
Result<UntrustedQuote> try_quote(const Connection& tpm, const Object& ak,
                                 const QuoteRequest& request);

// The PCR banks that the TPM keeps, of those that we know.
Result<std::vector<HashAlg>> read_banks(const Connection& tpm);

}  // namespace assay::agent
