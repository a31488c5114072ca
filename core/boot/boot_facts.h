// What a machine has booted, as far as a TPM vouches for it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/boot/boot_log.h"

namespace assay {

// A Secure Boot variable: PK, KEK, db, dbx.
struct BootVariable {
  std::string name;
  Digest digest;  // SHA-256 of the variable's data
};

// Something that was measured by its digest: an image that the firmware ran, a file that the boot
// loader read.
struct BootImage {
  PcrIndex pcr;
  std::vector<Digest> digests;  // one for each proven bank, the strongest first
  std::string label;            // the log's word for it: bytes, a hint, no digest covers it
};

struct BootFacts {
  PcrValues pcrs = {};                   // the quoted PCRs 0–9 and 14
  bool has_log = false;                  // without a log: nothing below is known
  std::optional<bool> secure_boot = {};  // as PCR 7 proves it
  std::vector<BootVariable> variables = {};
  std::vector<BootImage> applications = {};     // PCR 4, in the order measured
  std::vector<BootImage> files = {};            // PCR 9, likewise
  std::vector<std::string> command_lines = {};  // the kernel's arguments, proven; bytes
  std::uint64_t unlisted = 0;                   // what the limits below left out
};

// At most so many of each list, and so many bytes of each text.
inline constexpr std::size_t kMaxBootFacts = 256;
inline constexpr std::size_t kMaxBootText = 4096;

// What the quoted PCRs and a replayed log say of a boot. An event's type and label are claims; this is
// what is believed, and why:
//
//   Secure Boot, variables  data of PCR 7, before its separator, that is a whole UEFI_VARIABLE_DATA:
//                           the digest covers the variable's GUID, name and content. Secure Boot is
//                           on when each such "SecureBoot" is 1.
//   applications, files     every event of PCR 4 and PCR 9, but those whose proven data is a separator
//                           or one of the texts that the specification has for these registers. What
//                           the event calls itself changes nothing.
//   command lines           proven text of PCR 8 (GRUB) that begins with "linux", "linux16" or
//                           "linuxefi", or with a path, whatever its label: its words after the
//                           kernel's path. And `command_line`, where an event of PCR 9 has the digest
//                           of it in UTF-16 with a NUL, which is what the kernel's EFI stub measures;
//                           that event is then no file.
//
//   log           null: the node has none
//   command_line  /proc/cmdline as the node says it, or empty
//
// Total and pure. TCG PFP 1.05, 3.3.4 (what goes where); UEFI 2.10, 32.3; Linux
// drivers/firmware/efi/libstub/efi-stub-helper.c efi_load_initrd(), efi_convert_cmdline().
BootFacts describe_boot(const QuotedPcrs& quoted, const AttestedBootLog* log,
                        ByteView command_line);

}  // namespace assay
