#include "agent/codec.h"

#include <algorithm>
#include <limits>

#include "assay/v1/agent.pb.h"
#include "core/text.h"

namespace assay::agent {
namespace {

constexpr std::size_t kMinNonceBytes = 8;
constexpr std::uint64_t kMaxBootLogBytes = std::uint64_t{4}
                                           << 20;  // it is held in memory as a whole
constexpr std::size_t kMaxTextBytes = 64;          // of the verifier's words in our log

v1::HashAlgorithm to_wire(HashAlg alg) {
  switch (alg) {
    case HashAlg::kSha1:
      return v1::HASH_ALGORITHM_SHA1;
    case HashAlg::kSha256:
      return v1::HASH_ALGORITHM_SHA256;
    case HashAlg::kSha384:
      return v1::HASH_ALGORITHM_SHA384;
    case HashAlg::kSha512:
      return v1::HASH_ALGORITHM_SHA512;
  }
  return v1::HASH_ALGORITHM_UNSPECIFIED;
}

std::optional<HashAlg> from_wire(v1::HashAlgorithm alg) {
  for (const HashAlg known : kAllHashAlgs) {
    if (to_wire(known) == alg) return known;
  }
  return std::nullopt;
}

std::string to_string(ByteView bytes) {
  return std::string(as_text(bytes));
}

Bytes to_bytes(const std::string& text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

struct Encoder {
  v1::AgentMessage& out;

  void operator()(Hello hello) const {
    v1::Hello& to = *out.mutable_hello();
    to.set_ak_public(to_string(hello.ak_public));
    to.set_agent_version(std::move(hello.agent_version));
    for (const HashAlg bank : hello.banks) to.add_banks(to_wire(bank));
    to.set_log_byte_order(hello.log_form.order == ByteOrder::kLittle ? v1::BYTE_ORDER_LITTLE
                                                                     : v1::BYTE_ORDER_BIG);
    to.set_log_digests(to_wire(hello.log_form.digests));
  }
  void operator()(Identity identity) const {
    v1::Identity& to = *out.mutable_identity();
    to.set_node_name(std::move(identity.node_name));
    to.set_ek_public(to_string(identity.tpm.ek_public));
    to.set_ek_certificate(to_string(identity.tpm.ek_certificate));
    for (const Bytes& der : identity.tpm.ek_chain) to.add_ek_chain(to_string(der));
    to.set_join_token(std::move(identity.join_token));
  }
  void operator()(const OpenedCredential& opened) const {
    out.mutable_opened_credential()->set_secret(to_string(opened.secret));
  }
  void operator()(const BootLogChunk& chunk) const {
    v1::BootLogChunk& to = *out.mutable_boot_log_chunk();
    to.set_challenge_id(chunk.challenge_id);
    to.set_data(to_string(chunk.bytes));
  }
  void operator()(const QuoteMessage& message) const {
    v1::Quote& to = *out.mutable_quote();
    to.set_challenge_id(message.challenge_id);
    to.set_attest(to_string(message.quote.attest));
    to.set_signature(to_string(message.quote.signature));
    for (const auto& [slot, value] : message.quote.pcrs) {
      v1::PcrValue& pcr = *to.add_pcrs();
      pcr.set_bank(to_wire(slot.bank));
      pcr.set_index(slot.index.value());
      pcr.set_value(to_string(value.bytes()));
    }
  }
  void operator()(const LogChunk& chunk) const {
    v1::LogChunk& to = *out.mutable_log_chunk();
    to.set_challenge_id(chunk.challenge_id);
    to.set_data(to_string(chunk.bytes));
  }
  void operator()(PodClaimsMessage message) const {
    v1::PodClaims& to = *out.mutable_pod_claims();
    to.set_challenge_id(message.challenge_id);
    to.set_incomplete(message.claims.incomplete);
    for (PodClaim& claim : message.claims.pods) {
      v1::PodClaim& pod = *to.add_pods();
      pod.set_pod_uid(std::move(claim.pod_uid));
      pod.set_mapping(to_string(claim.mapping));
    }
  }
  void operator()(End end) const {
    v1::End& to = *out.mutable_end();
    to.set_challenge_id(end.challenge_id);
    to.set_log_bytes(end.log_bytes);
    to.set_boot_log_bytes(end.boot_log_bytes);
    to.set_command_line(to_string(end.command_line));
  }
  void operator()(Refusal refusal) const {
    v1::Refusal& to = *out.mutable_refusal();
    to.set_challenge_id(refusal.challenge_id);
    to.set_reason(std::move(refusal.reason));
  }
  void operator()(Hint hint) const { out.mutable_hint()->set_measurements(hint.measurements); }
};

Result<PcrSelection> decode_selection(const v1::Challenge& challenge) {
  PcrSelection out;
  for (const v1::PcrBank& bank : challenge.selection()) {
    const auto alg = from_wire(bank.bank());
    if (!alg) return fail(FaultId::kRequestInvalid, "the challenge selects an unknown PCR bank");
    for (const std::uint32_t value : bank.indices()) {
      const auto index = PcrIndex::from(value);
      if (!index || !out.insert({*alg, *index}).second) {
        return fail(FaultId::kRequestInvalid, "the challenge selects PCR " + std::to_string(value) +
                                                  (index ? " twice" : ", which no TPM has"));
      }
    }
  }
  if (out.empty()) return fail(FaultId::kRequestInvalid, "the challenge selects no PCR");
  return out;
}

Result<Challenge> decode_challenge(const v1::Challenge& challenge) {
  const auto nonce = Nonce::from(as_bytes(challenge.nonce()));
  if (!nonce || nonce->bytes().size() < kMinNonceBytes) {
    return fail(FaultId::kRequestInvalid, "the challenge's nonce has " +
                                              std::to_string(challenge.nonce().size()) +
                                              " bytes, not 8 to 64");
  }
  ASSAY_TRY(PcrSelection selection, decode_selection(challenge));
  constexpr std::uint64_t kMaxOffset = std::numeric_limits<std::int64_t>::max() / 2;
  if (challenge.first_byte() > kMaxOffset) {
    return fail(FaultId::kRequestInvalid, "the challenge asks for a byte that no log has");
  }
  return Challenge{
      .nonce = *nonce,
      .selection = std::move(selection),
      .first_entry = challenge.first_entry(),
      .first_byte = challenge.first_byte(),
      .max_log_bytes = challenge.max_log_bytes(),
      .quote_only = challenge.quote_only(),
      .max_boot_log_bytes = std::min(challenge.max_boot_log_bytes(), kMaxBootLogBytes)};
}

std::string safe(const std::string& text) {
  return shorten(escape_bytes(text), kMaxTextBytes);
}

}  // namespace

void encode(Message message, v1::AgentMessage& out) {
  out.Clear();
  std::visit(Encoder{out}, std::move(message));
}

Received decode(const v1::VerifierMessage& message) {
  if (message.has_challenge()) {
    const v1::Challenge& challenge = message.challenge();
    return ReceivedChallenge{.id = challenge.id(), .asked = decode_challenge(challenge)};
  }
  if (message.has_identify()) return Identify{};
  if (message.has_credential()) {
    return Credential{.id_object = to_bytes(message.credential().id_object()),
                      .encrypted_secret = to_bytes(message.credential().encrypted_secret())};
  }
  if (message.has_outcome()) {
    const v1::Outcome& outcome = message.outcome();
    return Outcome{.challenge_id = outcome.challenge_id(),
                   .state = safe(outcome.state()),
                   .faults_total = outcome.faults_total(),
                   .first_fault = safe(outcome.first_fault())};
  }
  return {};
}

}  // namespace assay::agent
