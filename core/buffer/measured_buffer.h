// Entries that measure bytes instead of a file: keys, kexec command lines and what the kernel calls
// critical data.
#pragma once

#include <optional>
#include <string>

#include "core/fault.h"
#include "core/ima_log.h"

namespace assay {

enum class BufferKind : std::uint8_t {
  kKey,           // added to a keyring
  kCommandLine,   // of a kernel that kexec loads
  kCriticalData,  // everything else
};

// Borrows from the entry.
struct MeasuredBuffer {
  BufferKind kind;
  std::string_view name;  // raw bytes: of the keyring, or of the event
  ByteView content;
  std::optional<HashAlg> alg;  // of the entry's digest
};

// Whether `entry` measures a buffer. A template that has the field `buf` leaves it empty for a file,
// and the kernel measures no empty buffer; what a violation says of itself is not authenticated.
bool has_buffer(const ImaEntry& entry);

// The buffer of an entry, or nothing. The log does not say which hook measured it, so the kind goes by
// the name, and for a name that is nobody's by whether the content is a certificate. Root may name a
// keyring after anything: the kind chooses words and the fault, and approves nothing. Total and pure.
//
// Linux security/integrity/ima/ima_main.c process_buffer_measurement() and its callers:
// ima_kexec_cmdline(), ima_measure_critical_data(); ima_asymmetric_keys.c
// ima_post_key_create_or_update(); ima_appraise.c ima_check_blacklist().
std::optional<MeasuredBuffer> measured_buffer(const ImaEntry& entry);

// Whether an entry's digest is not that of its buffer, which no kernel writes: somebody extended the
// PCR by hand, and a digest that is golden vouches for other content than the one shown. For data
// that is measured as a hash, the buffer is that hash, and the digest is taken of it once more.
bool contradicts_buffer(const ImaEntry& entry);

// One line for people, escaped, at most kMaxBufferWords bytes. Total and pure.
//   key            keyring, subject, algorithm and size, serial number, digest of the certificate
//   command line   its text
//   critical data  what it means where that is known (SELinux state and policy, device-mapper events,
//                  kernel version, kexec events); else name, size and digest
inline constexpr std::size_t kMaxBufferWords = 480;
std::string describe(const MeasuredBuffer& buffer);

// What a golden set calls it: "keyring:.ima", "critical:selinux-state", "kexec:command-line".
std::string golden_path(const MeasuredBuffer& buffer);

// The fault of such a buffer that is not golden.
FaultId unknown_buffer_fault(BufferKind kind);

}  // namespace assay
