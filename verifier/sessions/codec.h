// Wire messages to our own types and back. For the .cc files that serve the agent protocol.
#pragma once

#include "assay/v1/agent.pb.h"
#include "core/challenge.h"
#include "core/tpm_quote.h"

namespace assay {

// A quote as sent: every length within bounds, every PCR value as long as its bank's digests.
// Fails with kEvidenceMalformed, or kQuoteTooLarge for an attest or signature beyond any TPM's.
Result<UntrustedQuote> decode_quote(v1::Quote& quote);

v1::VerifierMessage encode_challenge(std::uint64_t challenge_id, const Challenge& challenge);

}  // namespace assay
