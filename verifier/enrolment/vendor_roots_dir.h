// The folder of TPM vendors' certificates.
#pragma once

#include <filesystem>

#include "core/enrolment/ek_certificate.h"

namespace assay {

// Reads every regular file whose name ends in .pem, .crt, .cer or .der, at most 4096 of 64 KiB.
// deploy/tpm-roots/README.md says where to get them.
// Fails with kFileUnreadable, and kConfigInvalid naming the file for one that holds no certificate,
// and for a folder without any.
Result<TrustedRoots> load_vendor_roots(const std::filesystem::path& folder);

}  // namespace assay
