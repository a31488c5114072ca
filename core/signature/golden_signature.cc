#include "core/signature/golden_signature.h"

namespace assay {
namespace {

// A key that is no longer golden is in no snapshot, whatever is remembered of it.
std::optional<std::size_t> recall(const SignatureClaim& claim, const GoldenSnapshot& golden,
                                  SignatureMemory& memory) {
  const auto fingerprint = memory.signer_of(claim);
  for (std::size_t i = 0; fingerprint && i < golden.signers().size(); ++i) {
    if (golden.signers()[i].key.fingerprint() == *fingerprint) return i;
  }
  return std::nullopt;
}

// An appended signature names a certificate, which may be any of the key's.
bool may_be_of(const SignatureClaim& claim, const FileSigner& signer) {
  return claim.kind == SignatureKind::kAppended || claim.key_id == signer.key_id();
}

std::optional<std::size_t> verify(const SignatureClaim& claim, const GoldenSnapshot& golden) {
  for (std::size_t i = 0; i < golden.signers().size(); ++i) {
    const FileSigner& signer = golden.signers()[i].key;
    if (may_be_of(claim, signer) && vouches(signer, claim)) return i;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::size_t> recall_signer(const ImaEntry& entry, const GoldenSnapshot& golden,
                                         SignatureMemory* memory) {
  if (golden.signers().empty() || memory == nullptr) return std::nullopt;
  for (const ImaFieldValue& field : entry.all_fields()) {
    if (!is_signature_field(field.field)) continue;
    const auto claim = signature_claim(entry, field);
    const auto found = claim ? recall(*claim, golden, *memory) : std::nullopt;
    if (found) return found;
  }
  return std::nullopt;
}

std::optional<std::size_t> find_signer(const ImaEntry& entry, const GoldenSnapshot& golden,
                                       SignatureMemory* memory) {
  if (golden.signers().empty()) return std::nullopt;
  if (const auto known = recall_signer(entry, golden, memory)) return known;
  for (const ImaFieldValue& field : entry.all_fields()) {
    if (!is_signature_field(field.field)) continue;
    const auto claim = signature_claim(entry, field);
    const auto found = claim ? verify(*claim, golden) : std::nullopt;
    if (!found) continue;
    if (memory != nullptr) memory->remember(*claim, golden.signers()[*found].key.fingerprint());
    return found;
  }
  return std::nullopt;
}

}  // namespace assay
