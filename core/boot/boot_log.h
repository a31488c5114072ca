// The firmware's event log as bytes become events, and its replay against the PCRs a TPM signed.
//
// Format: TCG PC Client Platform Firmware Profile 1.05, section 10; Linux gives it out as
// /sys/kernel/security/tpm0/binary_bios_measurements.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/digest.h"
#include "core/pcr.h"
#include "core/result.h"
#include "core/tpm_quote.h"

namespace assay {

// TCG PFP 1.05, 10.4.1. A log may hold any other value too.
enum class BootEventType : std::uint32_t {
  kPrebootCert = 0x0,
  kPostCode = 0x1,
  kNoAction = 0x3,
  kSeparator = 0x4,
  kAction = 0x5,
  kEventTag = 0x6,
  kSCrtmContents = 0x7,
  kSCrtmVersion = 0x8,
  kCpuMicrocode = 0x9,
  kPlatformConfigFlags = 0xa,
  kTableOfDevices = 0xb,
  kCompactHash = 0xc,
  kIpl = 0xd,
  kIplPartitionData = 0xe,
  kNonhostCode = 0xf,
  kNonhostConfig = 0x10,
  kNonhostInfo = 0x11,
  kOmitBootDeviceEvents = 0x12,
  kPostCode2 = 0x13,
  kEfiVariableDriverConfig = 0x80000001,
  kEfiVariableBoot = 0x80000002,
  kEfiBootServicesApplication = 0x80000003,
  kEfiBootServicesDriver = 0x80000004,
  kEfiRuntimeServicesDriver = 0x80000005,
  kEfiGptEvent = 0x80000006,
  kEfiAction = 0x80000007,
  kEfiPlatformFirmwareBlob = 0x80000008,
  kEfiHandoffTables = 0x80000009,
  kEfiPlatformFirmwareBlob2 = 0x8000000a,
  kEfiHandoffTables2 = 0x8000000b,
  kEfiVariableBoot2 = 0x8000000c,
  kEfiGptEvent2 = 0x8000000d,
  kEfiHcrtmEvent = 0x80000010,
  kEfiVariableAuthority = 0x800000e0,
  kEfiSpdmFirmwareBlob = 0x800000e1,
  kEfiSpdmFirmwareConfig = 0x800000e2,
};

// The specification's name, "EV_IPL", or "EV_UNKNOWN".
std::string_view boot_event_type_name(BootEventType type);

// One event. All views borrow from the log that was parsed.
struct BootEvent {
  std::uint64_t index = 0;      // from 0, the log's first event; tpm2_eventlog counts the same way
  std::optional<PcrIndex> pcr;  // nothing: an EV_NO_ACTION event of no register
  BootEventType type{};         // covered by no digest, so by no PCR: a hint, whatever is proven
  ByteView data;                // covered only as far as AttestedBootEvent says
  std::array<ByteView, std::size(kAllHashAlgs)> digests;  // by HashAlg; empty: none in that bank

  // The digest that was extended into a PCR of `bank`, or nothing.
  std::optional<Digest> digest(HashAlg bank) const;
};

// A log as it came. Only parse_boot_log() makes one: its form is right, its content unproven.
class UntrustedBootLog {
 public:
  const std::vector<BootEvent>& events() const { return events_; }

  // The banks that events have digests for. A legacy log has SHA-1; a log without a single byte
  // claims the same of every bank: that nothing was ever extended.
  const std::set<HashAlg>& banks() const { return banks_; }

  // The last byte of PCR 0 before the first event: 4 after an H-CRTM event, else what the
  // StartupLocality event says, else 0. TPM 2.0 Library, Part 1, 34.3; TCG PFP 1.05, 10.4.5.3.
  std::uint8_t startup_locality() const { return startup_locality_; }

 private:
  friend Result<UntrustedBootLog> parse_boot_log(ByteView);
  UntrustedBootLog() = default;

  std::vector<BootEvent> events_;
  std::set<HashAlg> banks_;
  std::uint8_t startup_locality_ = 0;
};

// Reads a whole log, which the result borrows.
//
//   bytes   at most 4 MiB, untrusted
//
// Two forms: legacy, TCG_PCR_EVENT with one SHA-1 each; and crypto-agile, whose first event is an
// EV_NO_ACTION "Spec ID Event03" that lists digest algorithms and sizes, followed by
// TCG_PCR_EVENT2. Algorithms that we do not know are skipped by their listed size.
//
// Fails with kBootMalformed when the log is over 4 MiB, 10,000 events, or 1 MiB in one event; is
// cut short or has bytes left over, in itself or in its first event; lists no, over 16, or twice
// the same algorithm, or a size that is not the algorithm's; holds an event without digest, with
// more digests than are listed, with one not listed, or two in one bank; or an event that is not
// EV_NO_ACTION names a PCR over 23.
//
// Does not look into event data, other than the first event's and StartupLocality's. Pure.
Result<UntrustedBootLog> parse_boot_log(ByteView bytes);

// An event whose digest is part of a quoted PCR.
struct AttestedBootEvent {
  BootEvent event;

  // The part of event.data that the digest is the hash of: all of it, or what is left when a label
  // or a NUL around it is not hashed. Empty: the digest is of something else (a file, an image, a
  // table), and event.data is no more than a label that the log's writer chose.
  ByteView proven_data;
};

// A log that leads to PCRs that a TPM signed. Only replay_boot_log() makes one. Borrows the bytes.
class AttestedBootLog {
 public:
  // The proven events in log order.
  const std::vector<AttestedBootEvent>& events() const { return events_; }

  // The banks that prove them. {sha1} alone is as weak as SHA-1: the caller's policy decides.
  const std::set<HashAlg>& banks() const { return banks_; }

  // Events left out because no PCR vouches for them: EV_NO_ACTION, and PCRs not replayed.
  std::uint64_t unproven_events() const { return unproven_events_; }

 private:
  friend Result<AttestedBootLog> replay_boot_log(const UntrustedBootLog&, const QuotedPcrs&);
  AttestedBootLog() = default;

  std::vector<AttestedBootEvent> events_;
  std::set<HashAlg> banks_;
  std::uint64_t unproven_events_ = 0;
};

// Extends PCRs with the events of `log` and compares them with what the TPM signed.
//
//   log      untrusted; its bytes are borrowed by the result
//   quoted   the proof
//
// Replayed is every bank that the log has digests for and in which the quote covers one of PCRs
// 0–9. In each of these banks every quoted PCR of 0–9 has to match, whether the log has events for
// it or not, and PCR 14 when it has (shim logs it; others may extend it without). PCRs 10 to 13 and
// 15 up are not replayed: IMA and userspace extend them and keep logs of their own. A quoted bank
// that the log lacks is not held against it as long as another one is replayed, so a SHA-1 log can
// be proven by a quoted SHA-1 bank only, whatever else is quoted.
//
// Fails with, in the order checked:
//   kBootPcrMismatch          the quote covers none of PCRs 0–9 in a bank of the log, so nothing
//                             proves it; or a replayed PCR is not at its quoted value; or an event
//                             of a replayed PCR has no digest in a bank that covers it
//   kBootEventDigestMismatch  an event's data is not what its digest was taken of
//
// The second is checked for these types, when the data has the form that belongs to them:
//   EV_SEPARATOR                     4 bytes; or the digest is of the error value 00000001
//   EV_ACTION, EV_EFI_ACTION         printable text in PCRs 0–7, with or without its NUL
//   EV_EFI_VARIABLE_DRIVER_CONFIG    a whole UEFI_VARIABLE_DATA in PCR 7
//   EV_EFI_VARIABLE_AUTHORITY        the same; less its last byte in old shims (rhboot/shim 8a27a48)
//   EV_EFI_VARIABLE_BOOT, _BOOT2     the same in PCR 1; or only its variable data, as EDK II does
//   EV_EFI_GPT_EVENT                 a whole UEFI_GPT_DATA in PCR 5
//   EV_IPL                           GRUB's "grub_cmd: ", "kernel_cmdline: ", "module_cmdline: " in
//                                    PCR 8: the text after that, with or without its NUL
// No other type is, since its digest is of something else, or firmware is known to differ:
// EV_S_CRTM_VERSION (Dell: tpm2-tools issue 3457), EV_EVENT_TAG (the kernel's EFI stub hashes the
// command line and logs "LOADED_IMAGE::LoadOptions"), EV_POST_CODE, EV_EFI_HANDOFF_TABLES,
// firmware blobs, PE images, files that GRUB names. EventType and GRUB's label are not covered by
// the digest: a forger who changes them too escapes this fault, but not proven_data, which is then
// empty. Only proven_data is evidence.
//
// Pure; O(bytes of log).
Result<AttestedBootLog> replay_boot_log(const UntrustedBootLog& log, const QuotedPcrs& quoted);

}  // namespace assay
