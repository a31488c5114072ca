#include "core/enrolment/activation.h"

namespace assay {

Result<OutstandingCredential> OutstandingCredential::issue(AkPublic ak, EndorsedEk endorsed,
                                                           const CredentialSecret& secret,
                                                           Instant now) {
  ASSAY_OK(check_enrollable(ak));
  OutstandingCredential out(std::move(ak), std::move(endorsed), secret);
  ASSAY_TRY(out.credential_, make_credential(out.endorsed_.ek(), out.ak_.name(), secret));
  out.issued_at_ = now;
  return out;
}

Result<ProvenTpm> OutstandingCredential::open(ByteView secret, Instant now) && {
  if (now - issued_at_ > kCredentialLifetime) {
    return fail(FaultId::kEnrolCredentialExpired,
                "it took over " + std::to_string(kCredentialLifetime.count()) + " minutes");
  }
  if (!equal_secrets(secret, secret_)) {
    return fail(FaultId::kEnrolCredentialMismatch, "");
  }
  return ProvenTpm(std::move(ak_), endorsed_.ek(), endorsed_.manufacturer());
}

}  // namespace assay
