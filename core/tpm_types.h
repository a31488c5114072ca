// TPM algorithm identifiers and our own types. For the .cc files of core/ and for tests.
#pragma once

#include <tss2/tss2_tpm2_types.h>

#include <optional>

#include "core/ak_public.h"
#include "core/enrolment/ek_public.h"
#include "core/openssl.h"

namespace assay {

// TPM 2.0 Library, Part 2, 6.3 TPM_ALG_ID.
inline std::optional<HashAlg> hash_from_tpm(TPM2_ALG_ID id) {
  switch (id) {
    case TPM2_ALG_SHA1:
      return HashAlg::kSha1;
    case TPM2_ALG_SHA256:
      return HashAlg::kSha256;
    case TPM2_ALG_SHA384:
      return HashAlg::kSha384;
    case TPM2_ALG_SHA512:
      return HashAlg::kSha512;
    default:
      return std::nullopt;
  }
}

inline std::optional<SignatureScheme> scheme_from_tpm(TPM2_ALG_ID id) {
  switch (id) {
    case TPM2_ALG_RSASSA:
      return SignatureScheme::kRsaSsa;
    case TPM2_ALG_RSAPSS:
      return SignatureScheme::kRsaPss;
    case TPM2_ALG_ECDSA:
      return SignatureScheme::kEcdsa;
    default:
      return std::nullopt;
  }
}

inline const EVP_MD* openssl_md(HashAlg alg) {
  switch (alg) {
    case HashAlg::kSha1:
      return EVP_sha1();
    case HashAlg::kSha256:
      return EVP_sha256();
    case HashAlg::kSha384:
      return EVP_sha384();
    case HashAlg::kSha512:
      return EVP_sha512();
  }
  return nullptr;
}

}  // namespace assay
