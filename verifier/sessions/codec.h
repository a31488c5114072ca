// Wire messages to our own types and back. For the .cc files that serve the agent protocol.
#pragma once

#include "assay/v1/agent.pb.h"
#include "core/challenge.h"
#include "core/tpm_quote.h"
#include "verifier/enrolment/enrolment.h"
#include "verifier/sessions/conversation.h"

namespace assay {

// A quote as sent: every length within bounds, every PCR value as long as its bank's digests.
// Fails with kEvidenceMalformed, or kQuoteTooLarge for an attest or signature beyond any TPM's.
Result<UntrustedQuote> decode_quote(v1::Quote& quote);

// The banks that an agent says its TPM keeps; names that we do not know are left out.
std::vector<HashAlg> decode_banks(const v1::Hello& hello);
ImaLogForm decode_log_form(const v1::Hello& hello);

// Fails with kEvidenceTooLarge for a part over its limit, and kEvidenceMalformed for one that cannot
// be text.
Result<Identity> decode_identity(const v1::Identity& identity);

// Limits are the conversation's to check: of too many pods one more than may be is kept.
PodClaims decode_pod_claims(const v1::PodClaims& claims);

AnswerEnd decode_end(const v1::End& end);

v1::VerifierMessage encode_credential(const Credential& credential);
v1::VerifierMessage encode_challenge(std::uint64_t challenge_id, const Challenge& challenge);

}  // namespace assay
