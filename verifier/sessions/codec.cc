#include "verifier/sessions/codec.h"

#include <algorithm>

namespace assay {
namespace {

constexpr std::size_t kMaxBlobBytes = 4096;
constexpr std::size_t kMaxNameBytes = 253;
constexpr std::size_t kMaxTokenBytes = 256;
constexpr std::size_t kMaxCertificateBytes = 8192;
constexpr int kMaxChain = 16;
constexpr int kMaxPcrValues = 4 * static_cast<int>(PcrIndex::kCount);

std::optional<HashAlg> from_wire(v1::HashAlgorithm alg) {
  switch (alg) {
    case v1::HASH_ALGORITHM_SHA1:
      return HashAlg::kSha1;
    case v1::HASH_ALGORITHM_SHA256:
      return HashAlg::kSha256;
    case v1::HASH_ALGORITHM_SHA384:
      return HashAlg::kSha384;
    case v1::HASH_ALGORITHM_SHA512:
      return HashAlg::kSha512;
    default:
      return std::nullopt;
  }
}

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

Bytes to_bytes(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

Result<PcrValues> decode_pcrs(const v1::Quote& quote) {
  if (quote.pcrs_size() > kMaxPcrValues)
    return fail(FaultId::kEvidenceMalformed, "too many PCR values");
  PcrValues out;
  for (const v1::PcrValue& pcr : quote.pcrs()) {
    const auto bank = from_wire(pcr.bank());
    const auto index = PcrIndex::from(pcr.index());
    const auto value = bank ? Digest::from(*bank, as_bytes(pcr.value())) : std::nullopt;
    if (!index || !value)
      return fail(FaultId::kEvidenceMalformed, "a PCR value of no bank or index");
    if (!out.emplace(PcrSlot{*bank, *index}, *value).second) {
      return fail(FaultId::kEvidenceMalformed, "a PCR value twice");
    }
  }
  return out;
}

}  // namespace

Result<UntrustedQuote> decode_quote(v1::Quote& quote) {
  if (quote.attest().size() > kMaxBlobBytes || quote.signature().size() > kMaxBlobBytes) {
    return fail(FaultId::kQuoteTooLarge, "attest or signature over 4 KiB");
  }
  ASSAY_TRY(PcrValues pcrs, decode_pcrs(quote));
  return UntrustedQuote{.attest = to_bytes(quote.attest()),
                        .signature = to_bytes(quote.signature()),
                        .pcrs = std::move(pcrs)};
}

std::vector<HashAlg> decode_banks(const v1::Hello& hello) {
  std::vector<HashAlg> out;
  for (const int bank : hello.banks()) {
    const auto alg = from_wire(static_cast<v1::HashAlgorithm>(bank));
    if (alg && std::ranges::find(out, *alg) == out.end()) out.push_back(*alg);
  }
  return out;
}

ImaLogForm decode_log_form(const v1::Hello& hello) {
  return {
      .order = hello.log_byte_order() == v1::BYTE_ORDER_BIG ? ByteOrder::kBig : ByteOrder::kLittle,
      .digests = from_wire(hello.log_digests()).value_or(HashAlg::kSha1)};
}

Result<Identity> decode_identity(const v1::Identity& identity) {
  const bool too_large =
      identity.node_name().size() > kMaxNameBytes || identity.ek_public().size() > kMaxBlobBytes ||
      identity.ek_certificate().size() > kMaxCertificateBytes ||
      identity.ek_chain_size() > kMaxChain ||
      std::ranges::any_of(identity.ek_chain(),
                          [](const auto& der) { return der.size() > kMaxCertificateBytes; }) ||
      identity.join_token().size() > kMaxTokenBytes;
  if (too_large) return fail(FaultId::kEvidenceTooLarge, "an identity over its limits");
  Identity out{.node_name = identity.node_name(),
               .ek_public = to_bytes(identity.ek_public()),
               .certificate = {.certificate = to_bytes(identity.ek_certificate()), .chain = {}},
               .join_token = identity.join_token()};
  for (const std::string& der : identity.ek_chain()) {
    out.certificate.chain.push_back(to_bytes(der));
  }
  return out;
}

PodClaims decode_pod_claims(const v1::PodClaims& claims) {
  PodClaims out{.pods = {}, .incomplete = claims.incomplete()};
  for (const v1::PodClaim& pod : claims.pods()) {
    out.pods.push_back({.uid = pod.pod_uid(), .mapping = to_bytes(pod.mapping())});
    if (out.pods.size() > kMaxClaimedPods) break;
  }
  return out;
}

AnswerEnd decode_end(const v1::End& end) {
  return {.log_bytes = end.log_bytes(),
          .boot_log_bytes = end.boot_log_bytes(),
          .command_line = to_bytes(end.command_line())};
}

v1::VerifierMessage encode_credential(const Credential& credential) {
  v1::VerifierMessage message;
  message.mutable_credential()->set_id_object(std::string(as_text(credential.id_object)));
  message.mutable_credential()->set_encrypted_secret(
      std::string(as_text(credential.encrypted_secret)));
  return message;
}

v1::VerifierMessage encode_challenge(std::uint64_t challenge_id, const Challenge& challenge) {
  v1::VerifierMessage message;
  v1::Challenge& out = *message.mutable_challenge();
  out.set_id(challenge_id);
  out.set_nonce(std::string(as_text(challenge.nonce.bytes())));
  for (const PcrSlot& slot : challenge.selection) {
    v1::PcrBank* bank = nullptr;
    for (v1::PcrBank& known : *out.mutable_selection()) {
      if (known.bank() == to_wire(slot.bank)) bank = &known;
    }
    if (bank == nullptr) {
      bank = out.add_selection();
      bank->set_bank(to_wire(slot.bank));
    }
    bank->add_indices(slot.index.value());
  }
  out.set_first_entry(challenge.first_entry);
  out.set_first_byte(challenge.first_byte);
  out.set_max_log_bytes(challenge.max_log_bytes);
  out.set_quote_only(challenge.quote_only);
  out.set_max_boot_log_bytes(challenge.max_boot_log_bytes);
  return message;
}

}  // namespace assay
