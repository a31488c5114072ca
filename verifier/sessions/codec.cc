#include "verifier/sessions/codec.h"

namespace assay {
namespace {

constexpr std::size_t kMaxBlobBytes = 4096;
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
  return message;
}

}  // namespace assay
