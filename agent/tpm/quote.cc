#include "agent/tpm/quote.h"

#include <algorithm>
#include <span>

namespace assay::agent {
namespace {

TPM2_ALG_ID to_tpm(HashAlg alg) {
  switch (alg) {
    case HashAlg::kSha1:
      return TPM2_ALG_SHA1;
    case HashAlg::kSha256:
      return TPM2_ALG_SHA256;
    case HashAlg::kSha384:
      return TPM2_ALG_SHA384;
    case HashAlg::kSha512:
      return TPM2_ALG_SHA512;
  }
  return TPM2_ALG_NULL;
}

// Banks in the order of PcrSelection, so that the values come in the order of PcrValues.
TPML_PCR_SELECTION to_tpm(const PcrSelection& selection) {
  static_assert(std::size(kAllHashAlgs) <= TPM2_NUM_PCR_BANKS);
  TPML_PCR_SELECTION out = {};
  for (const PcrSlot& slot : selection) {
    const TPM2_ALG_ID bank = to_tpm(slot.bank);
    if (out.count == 0 || out.pcrSelections[out.count - 1].hash != bank) {
      out.pcrSelections[out.count++] = {.hash = bank, .sizeofSelect = 3, .pcrSelect = {}};
    }
    BYTE& bits = out.pcrSelections[out.count - 1].pcrSelect[slot.index.value() / 8];
    bits = static_cast<BYTE>(bits | 1U << slot.index.value() % 8);
  }
  return out;
}

bool selects(const TPML_PCR_SELECTION& list, PcrSlot slot) {
  const auto banks = std::span(list.pcrSelections).first(list.count);
  return std::ranges::any_of(banks, [&](const TPMS_PCR_SELECTION& bank) {
    return bank.hash == to_tpm(slot.bank) && slot.index.value() < bank.sizeofSelect * 8 &&
           (bank.pcrSelect[slot.index.value() / 8] >> slot.index.value() % 8 & 1) != 0;
  });
}

// A TPM answers with as many values as fit, eight at most, and says which ones they are.
Status read_some_pcrs(const Connection& tpm, PcrSelection& wanted, PcrValues& out) {
  const TPML_PCR_SELECTION asked = to_tpm(wanted);
  TPML_PCR_SELECTION* selected = nullptr;
  TPML_DIGEST* values = nullptr;
  const TSS2_RC rc = Esys_PCR_Read(tpm.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &asked,
                                   nullptr, &selected, &values);
  const Owned<TPML_PCR_SELECTION> selected_owner(selected);
  const Owned<TPML_DIGEST> values_owner(values);
  ASSAY_OK(check(rc, "TPM2_PCR_Read"));
  std::size_t taken = 0;
  for (const PcrSlot& slot : PcrSelection(wanted)) {
    if (taken == values->count || !selects(*selected, slot)) continue;
    const TPM2B_DIGEST& value = values->digests[taken++];
    const auto digest = Digest::from(slot.bank, ByteView(value.buffer, value.size));
    if (!digest) return fail(FaultId::kTpmFailed, "TPM2_PCR_Read: a value of the wrong size");
    out.emplace(slot, *digest);
    wanted.erase(slot);
  }
  if (taken > 0) return {};
  const PcrSlot& missing = *wanted.begin();
  return fail(FaultId::kTpmFailed, "the TPM has no " + std::string(hash_name(missing.bank)) +
                                       " PCR " + std::to_string(missing.index.value()) +
                                       ": allocate the bank (tpm2_pcrallocate), or have the "
                                       "verifier ask for another one");
}

Result<PcrValues> read_pcrs(const Connection& tpm, PcrSelection wanted) {
  PcrValues out;
  while (!wanted.empty()) ASSAY_OK(read_some_pcrs(tpm, wanted, out));
  return out;
}

struct SignedQuote {
  Bytes attest;
  Bytes signature;
  Bytes pcr_digest;  // what `attest` says of the PCRs
};

Result<SignedQuote> sign_quote(const Connection& tpm, const Object& ak, const Nonce& nonce,
                               const PcrSelection& selection) {
  TPM2B_DATA qualifying = {};
  qualifying.size = static_cast<UINT16>(nonce.bytes().size());
  std::ranges::copy(nonce.bytes(), qualifying.buffer);
  const TPMT_SIG_SCHEME keys_own = {.scheme = TPM2_ALG_NULL, .details = {}};
  const TPML_PCR_SELECTION pcrs = to_tpm(selection);
  TPM2B_ATTEST* attest = nullptr;
  TPMT_SIGNATURE* signature = nullptr;
  const TSS2_RC rc = Esys_Quote(tpm.get(), ak.get(), ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                &qualifying, &keys_own, &pcrs, &attest, &signature);
  const Owned<TPM2B_ATTEST> attest_owner(attest);
  const Owned<TPMT_SIGNATURE> signature_owner(signature);
  ASSAY_OK(check(rc, "TPM2_Quote"));
  TPMS_ATTEST parsed = {};
  std::size_t offset = 0;
  ASSAY_OK(
      check(Tss2_MU_TPMS_ATTEST_Unmarshal(attest->attestationData, attest->size, &offset, &parsed),
            "TPM2_Quote's TPMS_ATTEST"));
  ASSAY_TRY(Bytes signature_bytes, marshalled(*signature, Tss2_MU_TPMT_SIGNATURE_Marshal));
  const TPM2B_DIGEST& digest = parsed.attested.quote.pcrDigest;
  return SignedQuote{
      .attest = Bytes(attest->attestationData, attest->attestationData + attest->size),
      .signature = std::move(signature_bytes),
      .pcr_digest = Bytes(digest.buffer, digest.buffer + digest.size)};
}

}  // namespace

Result<UntrustedQuote> try_quote(const Connection& tpm, const Object& ak,
                                 const QuoteRequest& request) {
  ASSAY_TRY(SignedQuote quote, sign_quote(tpm, ak, request.nonce, request.selection));
  ASSAY_TRY(PcrValues values, read_pcrs(tpm, request.selection));
  Hasher hasher(request.hash);
  hasher.start();
  for (const auto& [slot, value] : values) hasher.add(value.bytes());
  if (!std::ranges::equal(hasher.finish().bytes(), quote.pcr_digest)) {
    return fail(FaultId::kUnavailable, "the PCRs keep changing while they are quoted");
  }
  return UntrustedQuote{.attest = std::move(quote.attest),
                        .signature = std::move(quote.signature),
                        .pcrs = std::move(values)};
}

Result<std::vector<HashAlg>> read_banks(const Connection& tpm) {
  TPMS_CAPABILITY_DATA* found = nullptr;
  const TSS2_RC rc = Esys_GetCapability(tpm.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                        TPM2_CAP_PCRS, 0, TPM2_NUM_PCR_BANKS, nullptr, &found);
  const Owned<TPMS_CAPABILITY_DATA> owner(found);
  ASSAY_OK(check(rc, "TPM2_GetCapability of the PCR banks"));
  std::vector<HashAlg> out;
  for (const HashAlg bank : kAllHashAlgs) {
    if (selects(found->data.assignedPCR, {bank, kImaPcr})) out.push_back(bank);
  }
  return out;
}

}  // namespace assay::agent
