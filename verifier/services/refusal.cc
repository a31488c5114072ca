#include "verifier/services/refusal.h"

namespace assay {

Refusal refusal_of(FaultId fault) {
  switch (fault) {
    case FaultId::kRequestInvalid:
      return Refusal::kInvalid;
    case FaultId::kUnauthenticated:
    case FaultId::kPushTokenUnknown:
    case FaultId::kPushTokenExpired:
    case FaultId::kIdentityMalformed:
    case FaultId::kIdentityIssuer:
    case FaultId::kIdentityAlgorithm:
    case FaultId::kIdentityKeyUnknown:
    case FaultId::kIdentitySignature:
    case FaultId::kIdentityAudience:
    case FaultId::kIdentityNotYetValid:
    case FaultId::kIdentityExpired:
    case FaultId::kIdentityLifetime:
    case FaultId::kIdentityReplayed:
    case FaultId::kIdentityCertificateUnfit:
    case FaultId::kIdentityCertificateUntrusted:
      return Refusal::kUnauthenticated;
    case FaultId::kGoldenUnsigned:
    case FaultId::kGoldenSignatureMissing:
    case FaultId::kGoldenSignerRefused:
    case FaultId::kGoldenNameRefused:
    case FaultId::kIdentityRefused:
      return Refusal::kForbidden;
    case FaultId::kNotFound:
      return Refusal::kNotFound;
    case FaultId::kAlreadyExists:
    case FaultId::kEnrolNameTaken:
    case FaultId::kEnrolEkTaken:
    case FaultId::kEnrolKeyChanged:
    case FaultId::kGoldenConflict:
      return Refusal::kConflict;
    case FaultId::kGoldenRevoked:
      return Refusal::kRevoked;
    case FaultId::kGoldenMalformed:
      return Refusal::kMalformed;
    case FaultId::kGoldenTooLarge:
      return Refusal::kTooLarge;
    case FaultId::kUnavailable:
      return Refusal::kBusy;
    case FaultId::kIdentityKeysUnavailable:
    case FaultId::kStoreFailed:
      return Refusal::kUnavailable;
    case FaultId::kStoreFull:
      return Refusal::kFull;
    default:
      return Refusal::kOther;
  }
}

}  // namespace assay
