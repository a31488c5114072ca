// Everything that can be wrong, by name. This file is the one place where a fault id is defined;
// docs/faults.md is written from it and a test keeps the two equal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/digest.h"

namespace assay {

// What a fault means for a verdict.
enum class FaultClass : std::uint8_t {
  kInvalid,     // the evidence is not authentic or cannot be read: it proves nothing
  kTampering,   // an authentic quote contradicts what came with it, or what was proven before
  kViolation,   // authentic evidence of something that must not be
  kNoEvidence,  // no evidence came: silence is not innocence
  kOperation,   // our own side: configuration, files, database, network
};

enum class Severity : std::uint8_t { kInfo, kWarning, kCritical };

// X(enumerator, wire name, class, severity, what it means)
// Wire names are dotted, lower case and stable: they reach dashboards, alert rules and people's
// scripts. None is ever renamed or reused.
#define ASSAY_FAULTS(X)                                                                           \
  X(kQuoteTooLarge, "quote.too_large", kInvalid, kCritical,                                       \
    "the quote or its signature is larger than any TPM makes")                                    \
  X(kQuoteMalformed, "quote.malformed", kInvalid, kCritical,                                      \
    "the quote or its signature does not unmarshal, or has bytes left over")                      \
  X(kQuoteUnsupported, "quote.unsupported", kInvalid, kCritical,                                  \
    "the signature scheme or PCR bank is not one that Assay accepts")                             \
  X(kQuoteSchemeMismatch, "quote.scheme_mismatch", kInvalid, kCritical,                           \
    "the signature names a scheme or hash other than the attestation key's own")                  \
  X(kQuoteSha1Refused, "quote.sha1_refused", kInvalid, kCritical,                                 \
    "the signature or the only quoted IMA bank is SHA-1, and the policy does not allow it")       \
  X(kQuoteBadSignature, "quote.bad_signature", kInvalid, kCritical,                               \
    "the signature does not verify under the node's attestation key")                             \
  X(kQuoteNotAQuote, "quote.not_a_quote", kInvalid, kCritical,                                    \
    "signed by the key, but not a quote that a TPM generated")                                    \
  X(kQuoteNonceMismatch, "quote.nonce_mismatch", kInvalid, kCritical,                             \
    "a quote, but not the answer to our challenge")                                               \
  X(kQuotePcrDigestMismatch, "quote.pcr_digest_mismatch", kInvalid, kCritical,                    \
    "the PCR values sent along are not the values that the TPM signed")                           \
  X(kQuoteSelectionMismatch, "quote.selection_mismatch", kInvalid, kCritical,                     \
    "the quote does not cover exactly the PCRs that were asked for, or values for other PCRs "    \
    "came")                                                                                       \
  X(kQuoteImaPcrMissing, "quote.ima_pcr_missing", kInvalid, kCritical,                            \
    "the quote does not cover the IMA PCR, so it vouches for no log")                             \
  X(kQuoteClockBackwards, "quote.clock_backwards", kTampering, kCritical,                         \
    "the TPM clock or restart count went back without a TPM reset: an old or foreign quote")      \
  X(kQuoteResetBackwards, "quote.reset_backwards", kTampering, kCritical,                         \
    "the TPM reset count went back: the TPM was cleared or replaced, enrol the node again")       \
  X(kQuoteFirmwareChanged, "quote.firmware_changed", kTampering, kCritical,                       \
    "the TPM's firmware version changed without a TPM reset: an old or foreign quote")            \
  X(kAkMalformed, "ak.malformed", kInvalid, kCritical,                                            \
    "the attestation key is not a TPM2B_PUBLIC or PEM public key, or has bytes left over")        \
  X(kAkUnsupported, "ak.unsupported", kInvalid, kCritical,                                        \
    "the attestation key's algorithm, curve, size or scheme is not one that Assay accepts")       \
  X(kAkAttributes, "ak.attributes", kInvalid, kCritical,                                          \
    "the attestation key is not a restricted signing key that was made in, and is bound to, one " \
    "TPM")                                                                                        \
  X(kAkLockout, "ak.lockout", kInvalid, kCritical,                                                \
    "the attestation key lacks noDA: power cuts would lock it, and the node would fall "          \
    "silent")                                                                                     \
  X(kAkUnknown, "ak.unknown", kInvalid, kCritical,                                                \
    "no node is enrolled with this attestation key")                                              \
  X(kEkMalformed, "ek.malformed", kInvalid, kCritical,                                            \
    "the endorsement key is not a TPM2B_PUBLIC, or has bytes left over")                          \
  X(kEkUnsupported, "ek.unsupported", kInvalid, kCritical,                                        \
    "the endorsement key's algorithm, curve, size or cipher is not one that Assay "               \
    "accepts")                                                                                    \
  X(kEkAttributes, "ek.attributes", kInvalid, kCritical,                                          \
    "the endorsement key is not a restricted decryption key that was made in, and is "            \
    "bound to, one TPM")                                                                          \
  X(kEkCertificateMissing, "ek.certificate_missing", kInvalid, kCritical,                         \
    "the TPM has no endorsement certificate, and the policy does not name its key")               \
  X(kEkCertificateMalformed, "ek.certificate_malformed", kInvalid, kCritical,                     \
    "the endorsement certificate, or one of its chain, is not an X.509 certificate")              \
  X(kEkCertificateKeyMismatch, "ek.certificate_key_mismatch", kInvalid, kCritical,                \
    "the endorsement certificate is of another key than the one presented")                       \
  X(kEkCertificateUsage, "ek.certificate_usage", kInvalid, kCritical,                             \
    "the certificate is not made out for an endorsement key")                                     \
  X(kEkCertificateExpired, "ek.certificate_expired", kInvalid, kCritical,                         \
    "a certificate of the endorsement chain is not valid at this time")                           \
  X(kEkCertificateUntrusted, "ek.certificate_untrusted", kInvalid, kCritical,                     \
    "the endorsement certificate does not lead to a vendor root that the verifier has")           \
  X(kEnrolNameInvalid, "enrol.name_invalid", kInvalid, kWarning,                                  \
    "the name that the node claims is not one that Kubernetes gives a node")                      \
  X(kEnrolNameTaken, "enrol.name_taken", kInvalid, kCritical,                                     \
    "another TPM is enrolled under the name that this one claims")                                \
  X(kEnrolEkTaken, "enrol.ek_taken", kInvalid, kCritical,                                         \
    "this TPM is enrolled under another name than the one it claims")                             \
  X(kEnrolKeyChanged, "enrol.key_changed", kInvalid, kCritical,                                   \
    "the node's TPM is known, and presents another attestation key than the enrolled one")        \
  X(kEnrolNotAdmitted, "enrol.not_admitted", kInvalid, kCritical,                                 \
    "no rule of the policy admits this TPM")                                                      \
  X(kEnrolPending, "enrol.pending", kInvalid, kWarning,                                           \
    "the node has proven its TPM and waits for an operator's approval")                           \
  X(kEnrolTokenUnknown, "enrol.token_unknown", kInvalid, kCritical,                               \
    "the join token is not one that the verifier gave out, or was revoked")                       \
  X(kEnrolTokenExpired, "enrol.token_expired", kInvalid, kWarning,                                \
    "the join token's time is over")                                                              \
  X(kEnrolTokenSpent, "enrol.token_spent", kInvalid, kWarning,                                    \
    "the join token has admitted as many nodes as it may")                                        \
  X(kEnrolVendorRefused, "enrol.vendor_refused", kInvalid, kCritical,                             \
    "the TPM's manufacturer is not one that the join token admits")                               \
  X(kEnrolCredentialMismatch, "enrol.credential_mismatch", kInvalid, kCritical,                   \
    "the TPM did not open the credential: the attestation key is not in the TPM of this "         \
    "endorsement key")                                                                            \
  X(kEnrolCredentialExpired, "enrol.credential_expired", kInvalid, kWarning,                      \
    "the credential was opened too late")                                                         \
  X(kEnrolCredentialUsed, "enrol.credential_used", kInvalid, kCritical,                           \
    "the credential was answered before: each serves once")                                       \
  X(kImaTooLarge, "ima.too_large", kInvalid, kCritical,                                           \
    "the measurement log, or a record in it, is over the limit")                                  \
  X(kImaMalformed, "ima.malformed", kInvalid, kCritical,                                          \
    "the measurement log is cut short, or a record breaks its template's format")                 \
  X(kImaUnknownTemplate, "ima.unknown_template", kViolation, kCritical,                           \
    "an entry's template has no field that is known to hold a file digest, so no golden set can " \
    "vouch for it")                                                                               \
  X(kImaTemplateContradicted, "ima.template_contradicted", kTampering, kCritical,                 \
    "the template name of a record hides the file digest that its data holds: the data is "       \
    "proven, the name is not")                                                                    \
  X(kImaUnsupportedDigest, "ima.unsupported_digest", kViolation, kCritical,                       \
    "an entry has no file digest that Assay can understand, so no golden set can vouch for it")   \
  X(kImaTemplateDigestMismatch, "ima.template_digest_mismatch", kTampering, kCritical,            \
    "a record's template digest is not the digest of its data")                                   \
  X(kImaPcrNotQuoted, "ima.pcr_not_quoted", kInvalid, kCritical,                                  \
    "a record names a PCR that the quote does not cover, so nothing proves it")                   \
  X(kImaPcrMismatch, "ima.pcr_mismatch", kTampering, kCritical,                                   \
    "no prefix of the log leads to the quoted PCR: an entry was removed, changed or not logged")  \
  X(kImaLogTruncated, "ima.log_truncated", kTampering, kCritical,                                 \
    "the log is shorter than what this boot has already proven")                                  \
  X(kImaNothingMeasured, "ima.nothing_measured", kInvalid, kCritical,                             \
    "the quote proves an empty log: silence is not innocence")                                    \
  X(kImaUnknownDigest, "ima.unknown_digest", kViolation, kCritical,                               \
    "a file was measured whose digest is in no golden set")                                       \
  X(kImaUnknownKey, "ima.unknown_key", kViolation, kCritical,                                     \
    "a key was added to a keyring, and its digest is in no golden set")                           \
  X(kImaUnknownCommandLine, "ima.unknown_kexec_command_line", kViolation, kCritical,              \
    "a kernel was loaded by kexec with a command line whose digest is in no golden set")          \
  X(kImaUnknownCriticalData, "ima.unknown_critical_data", kViolation, kCritical,                  \
    "the kernel measured data of its own (SELinux, device-mapper, …) whose digest is in no "    \
    "golden set")                                                                                 \
  X(kImaBufferDigestMismatch, "ima.buffer_digest_mismatch", kViolation, kCritical,                \
    "an entry's digest is not that of the buffer in it: no kernel wrote it")                      \
  X(kImaViolation, "ima.violation", kViolation, kCritical,                                        \
    "the kernel could not measure a file reliably (written while read or executed); its name is " \
    "not authenticated")                                                                          \
  X(kImaPolicyMissing, "ima.policy_missing", kViolation, kCritical,                               \
    "the log shows no golden IMA policy: root can have replaced the kernel's silently")           \
  X(kImaPolicyLate, "ima.policy_late", kViolation, kCritical,                                     \
    "the golden IMA policy was loaded after more entries than the policy allows")                 \
  X(kImaPolicyRepeated, "ima.policy_repeated", kViolation, kWarning,                              \
    "a file with the content of the IMA policy was measured again in this boot")                  \
  X(kBootMalformed, "boot.malformed", kInvalid, kCritical,                                        \
    "the firmware event log is cut short or breaks its format")                                   \
  X(kBootEventDigestMismatch, "boot.event_digest_mismatch", kTampering, kCritical,                \
    "a firmware event's data is not what its digest was taken of")                                \
  X(kBootPcrMismatch, "boot.pcr_mismatch", kTampering, kCritical,                                 \
    "the firmware event log does not lead to a quoted PCR")                                       \
  X(kBootAggregateMismatch, "boot.aggregate_mismatch", kViolation, kCritical,                     \
    "the log's boot_aggregate is not the digest of the quoted boot PCRs")                         \
  X(kBootAggregateUnproven, "boot.aggregate_unproven", kViolation, kCritical,                     \
    "the log's boot_aggregate is of boot PCRs that the quote does not cover")                     \
  X(kBootAggregateMissing, "boot.aggregate_missing", kViolation, kCritical,                       \
    "the log's first entry is no boot_aggregate")                                                 \
  X(kBootLogMissing, "boot.log_missing", kViolation, kCritical,                                   \
    "the boot policy judges events, and the node gives no firmware event log")                    \
  X(kBootPcrNotAccepted, "boot.pcr_not_accepted", kViolation, kCritical,                          \
    "a boot PCR has a value that the boot policy does not accept")                                \
  X(kBootSecureBootOff, "boot.secure_boot", kViolation, kCritical,                                \
    "Secure Boot is not in the state that the boot policy wants")                                 \
  X(kBootVariableNotAccepted, "boot.variable_not_accepted", kViolation, kCritical,                \
    "a Secure Boot variable (PK, KEK, db, dbx) has content that the boot policy does not "        \
    "accept")                                                                                     \
  X(kBootApplicationNotAccepted, "boot.application_not_accepted", kViolation, kCritical,          \
    "the firmware ran an image that the boot policy does not accept")                             \
  X(kBootFileNotAccepted, "boot.file_not_accepted", kViolation, kCritical,                        \
    "the boot loader read a kernel, initrd or other file that the boot policy does not "          \
    "accept")                                                                                     \
  X(kBootCommandLine, "boot.command_line", kViolation, kCritical,                                 \
    "the kernel's command line breaks a rule of the boot policy, or none was proven")             \
  X(kEvidenceNone, "evidence.none", kNoEvidence, kCritical,                                       \
    "the node has not answered within its deadline")                                              \
  X(kEvidenceRefused, "evidence.refused", kNoEvidence, kCritical,                                 \
    "the node's agent says that it cannot answer; the detail says why")                           \
  X(kEvidenceTooLarge, "evidence.too_large", kInvalid, kCritical,                                 \
    "the node sent more evidence than the limit for one answer")                                  \
  X(kEvidenceMalformed, "evidence.malformed", kInvalid, kCritical,                                \
    "a message from the node breaks the protocol")                                                \
  X(kGoldenNone, "golden.none", kNoEvidence, kWarning,                                            \
    "no golden set has been pushed, so nothing can be judged")                                    \
  X(kGoldenMalformed, "golden.malformed", kOperation, kCritical, "a golden set cannot be read")   \
  X(kGoldenTooLarge, "golden.too_large", kOperation, kCritical, "a golden set is over the limit") \
  X(kGoldenConflict, "golden.conflict", kOperation, kCritical,                                    \
    "another golden set has this name and different content")                                     \
  X(kGoldenUnsigned, "golden.unsigned", kOperation, kWarning,                                     \
    "the verifier takes signed golden sets only, and this one is not in an envelope")             \
  X(kGoldenSignatureMissing, "golden.signature_missing", kOperation, kWarning,                    \
    "too few of the keys that vouch for sets of this name have signed this one")                  \
  X(kGoldenSignerRefused, "golden.signer_refused", kOperation, kWarning,                          \
    "a known key has signed the golden set that may not vouch for sets of this name")             \
  X(kGoldenNameRefused, "golden.name_refused", kOperation, kWarning,                              \
    "the caller may not push, or nobody may vouch for, golden sets of this name")                 \
  X(kGoldenRevoked, "golden.revoked", kOperation, kWarning,                                       \
    "this golden set was revoked, and never counts again")                                        \
  X(kPushTokenUnknown, "push_token.unknown", kOperation, kWarning,                                \
    "the push token is not one that the verifier gave out, or was revoked")                       \
  X(kPushTokenExpired, "push_token.expired", kOperation, kWarning,                                \
    "the push token's time is over")                                                              \
  X(kIdentityMalformed, "identity.malformed", kOperation, kWarning,                               \
    "the identity token is not a signed token in compact form, or says something twice or "       \
    "not at all")                                                                                 \
  X(kIdentityIssuer, "identity.issuer", kOperation, kWarning,                                     \
    "the identity token is of an issuer that the configuration does not name")                    \
  X(kIdentityAlgorithm, "identity.algorithm", kOperation, kWarning,                               \
    "the identity token, or the key that it names, is not of the issuer's configured "            \
    "algorithm")                                                                                  \
  X(kIdentityKeysMalformed, "identity.keys_malformed", kOperation, kWarning,                      \
    "what should be an issuer's key set cannot be read, or has no key that tokens can be "        \
    "checked with")                                                                               \
  X(kIdentityKeysUnavailable, "identity.keys_unavailable", kOperation, kWarning,                  \
    "the issuer's keys could not be fetched, or are being fetched; try again")                    \
  X(kIdentityKeyUnknown, "identity.key_unknown", kOperation, kWarning,                            \
    "the identity token names no key, or one that its issuer does not publish")                   \
  X(kIdentitySignature, "identity.signature", kOperation, kWarning,                               \
    "the identity token's signature is not its issuer's")                                         \
  X(kIdentityAudience, "identity.audience", kOperation, kWarning,                                 \
    "the identity token was made for somebody else")                                              \
  X(kIdentityNotYetValid, "identity.not_yet_valid", kOperation, kWarning,                         \
    "the time of the identity token or client certificate has not come: compare the clocks")      \
  X(kIdentityExpired, "identity.expired", kOperation, kWarning,                                   \
    "the time of the identity token or client certificate is over")                               \
  X(kIdentityLifetime, "identity.lifetime", kOperation, kWarning,                                 \
    "the identity token lasts longer than the verifier accepts")                                  \
  X(kIdentityRefused, "identity.refused", kOperation, kWarning,                                   \
    "the identity token or client certificate is genuine, and no rule of the configuration "      \
    "admits what it says")                                                                        \
  X(kIdentityReplayed, "identity.replayed", kOperation, kWarning,                                 \
    "the identity token has pushed other content, or in another way, under this name "            \
    "before")                                                                                     \
  X(kIdentityCertificateUnfit, "identity.certificate_unfit", kOperation, kWarning,                \
    "the client certificate is not one of a client with one URI, or with DNS names")              \
  X(kIdentityCertificateUntrusted, "identity.certificate_untrusted", kOperation, kWarning,        \
    "no authority that the configuration names has certified the client")                         \
  X(kClusterUnavailable, "cluster.unavailable", kOperation, kWarning,                             \
    "the Kubernetes API did not answer, or refused")                                              \
  X(kClusterMalformed, "cluster.malformed", kOperation, kWarning,                                 \
    "the Kubernetes API's answer cannot be read")                                                 \
  X(kConfigInvalid, "config.invalid", kOperation, kCritical, "the configuration cannot be used")  \
  X(kImageMalformed, "image.malformed", kOperation, kCritical,                                    \
    "an image, or a part of it, is not what the format asks for")                                 \
  X(kImageUnsupported, "image.unsupported", kOperation, kCritical,                                \
    "an image has a media type, digest algorithm or version that is not known")                   \
  X(kImageAmbiguous, "image.ambiguous", kOperation, kCritical,                                    \
    "no image, or more than one, is what was asked for")                                          \
  X(kImageDigestMismatch, "image.digest_mismatch", kOperation, kCritical,                         \
    "a part of an image does not have the digest or size that refers to it")                      \
  X(kImageTruncated, "image.truncated", kOperation, kCritical,                                    \
    "a part of an image is shorter than what refers to it says")                                  \
  X(kImagePathEscape, "image.path_escape", kOperation, kCritical,                                 \
    "a path in an image leads out of it")                                                         \
  X(kImageTooLarge, "image.too_large", kOperation, kCritical,                                     \
    "an image is over a limit, or decompresses to far more than it is")                           \
  X(kFileUnreadable, "file.unreadable", kOperation, kCritical, "a file cannot be read")           \
  X(kFileUnwritable, "file.unwritable", kOperation, kCritical, "a file cannot be written")        \
  X(kStoreFailed, "store.failed", kOperation, kCritical, "the database refused an operation")     \
  X(kStoreFull, "store.full", kOperation, kCritical, "the disk that holds the database is full")  \
  X(kNotFound, "request.not_found", kOperation, kWarning, "what was asked for does not exist")    \
  X(kAlreadyExists, "request.already_exists", kOperation, kWarning,                               \
    "what was to be made exists already, with other content")                                     \
  X(kRequestInvalid, "request.invalid", kOperation, kWarning, "a request breaks its format")      \
  X(kUnauthenticated, "request.unauthenticated", kOperation, kWarning,                            \
    "the caller did not prove who it is")                                                         \
  X(kUnavailable, "peer.unavailable", kOperation, kWarning,                                       \
    "another program could not be reached or is busy; tried again with a bound")                  \
  X(kTpmUnavailable, "tpm.unavailable", kOperation, kCritical, "no TPM can be reached")           \
  X(kTpmFailed, "tpm.failed", kOperation, kCritical, "the TPM refused a command")                 \
  X(kKernelWithoutIma, "kernel.no_ima", kOperation, kCritical,                                    \
    "the kernel offers no IMA measurement log")

enum class FaultId : std::uint8_t {
#define ASSAY_FAULT_ENUMERATOR(id, name, fault_class, severity, meaning) id,
  ASSAY_FAULTS(ASSAY_FAULT_ENUMERATOR)
#undef ASSAY_FAULT_ENUMERATOR
};

// One thing that is wrong. `path` holds raw bytes as the node sent them: escape it at every sink.
struct Fault {
  FaultId id;
  std::optional<Severity> severity = {};    // when a policy says other than the id's own
  std::optional<std::uint64_t> entry = {};  // index in the measurement log, from 0
  std::string path = {};
  std::optional<Digest> digest = {};
  std::string detail = {};  // for people: never parsed, never secret, never unbounded node text
};

std::string_view fault_name(FaultId id);     // "ima.unknown_digest"
std::string_view fault_meaning(FaultId id);  // one clause for people
FaultClass fault_class(FaultId id);
Severity fault_severity(FaultId id);
Severity severity_of(const Fault& fault);
std::string_view severity_name(Severity severity);  // "critical"

// How many ids there are: they are 0 to fault_count() - 1.
std::size_t fault_count();

// The id with this wire name, or nothing.
std::optional<FaultId> fault_by_name(std::string_view name);

// "ima.unknown_digest: entry 57: /bin/x (sha256:…): detail", escaped, for logs and terminals.
std::string format_fault(const Fault& fault);

}  // namespace assay
