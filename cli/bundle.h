// Evidence bundles: one attestation as a directory. docs/evidence-bundle.md has the format.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/ak_public.h"
#include "core/tpm_quote.h"
#include "golden/spool.h"

namespace assay {

// A bundle whose files have the form that they need to be judged at all. Nothing is proven.
struct UntrustedBundle {
  UntrustedQuote quote;
  AkPublic ak;
  Nonce nonce;
  Spool ima_log;
  std::optional<Bytes> boot_log;
};

// Why a bundle holds no evidence: at least one fault.
using BundleFaults = std::vector<Fault>;

// Reads a bundle. Fails with kFileUnreadable when it, or a file that every bundle has, is missing or
// cannot be read. The inner result holds faults of the evidence: kEvidenceMalformed for a file that
// is over its limit or not of its form, and those of parse_ak_public().
Result<tl::expected<UntrustedBundle, BundleFaults>> load_bundle(const std::string& dir);

}  // namespace assay
