// What a machine has booted, as far as a TPM vouches for it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/boot/boot_log.h"

namespace assay {

// A Secure Boot variable: PK, KEK, db, dbx and the like.
struct BootVariable {
  std::string name;  // UTF-8
  Digest digest;     // of the variable's data
};

// Something that was measured by its digest: an image that the firmware ran, a file that the boot
// loader read.
struct BootImage {
  PcrIndex pcr;
  Digest digest;      // in the event's strongest proven bank
  std::string label;  // the log's word for it, escaped: a hint, no digest covers it
};

struct BootFacts {
  PcrValues pcrs;                   // the quoted PCRs 0–9 and 14
  bool has_log = false;             // without a log: nothing below is known
  std::optional<bool> secure_boot;  // as PCR 7 proves it
  std::vector<BootVariable> variables;
  std::vector<BootImage> applications;     // PCR 4, in the order measured
  std::vector<BootImage> files;            // PCR 9, likewise
  std::vector<std::string> command_lines;  // the kernel's, proven; bytes
  std::uint64_t unlisted = 0;              // what the limits below left out
};

// At most so many of each list, and so many bytes of each text.
inline constexpr std::size_t kMaxBootFacts = 256;
inline constexpr std::size_t kMaxBootText = 4096;

// What the quoted PCRs and a replayed log say of a boot. An event's type and label are claims: a
// variable is taken from data that its digest covers, before the separator of PCR 7; a text is a
// command line because of what it says.
//
//   log           null: the node has none
//   command_line  /proc/cmdline as the node says it, or empty. It counts where an event of PCR 9 has
//                 its digest (the kernel's EFI stub hashes it in UTF-16).
//
// Total and pure.
BootFacts describe_boot(const QuotedPcrs& quoted, const AttestedBootLog* log,
                        ByteView command_line);

}  // namespace assay
