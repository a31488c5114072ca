#include "agent/tpm/tpm.h"

#include "agent/tpm/ek.h"
#include "agent/tpm/quote.h"

namespace assay::agent {
namespace {

constexpr int kQuoteTries = 8;

}  // namespace

Result<Tpm> Tpm::open(TpmSettings settings) {
  ASSAY_TRY(const Connection tpm, Connection::open(settings.tcti));
  ASSAY_TRY(Ak ak, load_or_make_ak(tpm, settings.ak));
  ASSAY_TRY(std::vector<HashAlg> banks, read_banks(tpm));
  return Tpm(std::move(settings), std::move(ak.encoded), std::move(banks));
}

Status Tpm::check_same(const Bytes& encoded) const {
  if (encoded == ak_public_) return {};
  return fail(FaultId::kTpmFailed,
              "the TPM was replaced or its endorsement seed changed, so it now makes another "
              "attestation key: restart assay-agent and enrol the node again");
}

Result<TpmIdentity> Tpm::identity() const {
  ASSAY_TRY(const Connection tpm, Connection::open(settings_.tcti));
  return read_identity(tpm, settings_.ek);
}

Result<Bytes> Tpm::activate(const Credential& credential) const {
  ASSAY_TRY(const Connection tpm, Connection::open(settings_.tcti));
  ASSAY_TRY(const Ak ak, load_or_make_ak(tpm, settings_.ak));
  ASSAY_OK(check_same(ak.encoded));
  return activate_credential(tpm, ak.object, settings_.ek, credential);
}

Result<UntrustedQuote> Tpm::quote(const Nonce& nonce, const PcrSelection& selection) const {
  ASSAY_TRY(const Connection tpm, Connection::open(settings_.tcti));
  ASSAY_TRY(const Ak ak, load_or_make_ak(tpm, settings_.ak));
  ASSAY_OK(check_same(ak.encoded));
  const QuoteRequest request{nonce, selection, signing_hash(settings_.ak.algorithm)};
  Result<UntrustedQuote> out = try_quote(tpm, ak.object, request);
  for (int tries = 1; tries < kQuoteTries; ++tries) {
    if (out || out.error().id != FaultId::kUnavailable) break;
    out = try_quote(tpm, ak.object, request);
  }
  return out;
}

}  // namespace assay::agent
