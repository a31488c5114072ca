#include "core/buffer/measured_buffer.h"

#include <algorithm>

#include "core/buffer/certificate.h"
#include "core/buffer/device_mapper.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr std::string_view kCommandLineName = "kexec-cmdline";
constexpr std::size_t kMaxTextBytes = 2048;  // of a buffer that is shown as text: escaped, then cut
constexpr std::size_t kMaxNameBytes = 80;

// Events of the kernel, by the file that names them. "dm_" and "ima_policy" begin several.
constexpr std::string_view kEvents[] = {
    "kernel_version",       // security/integrity/ima/ima_init.c
    "kexec_load",           // security/integrity/ima/ima_kexec.c
    "kexec_execute",        // likewise
    "selinux-state",        // security/selinux/ima.c
    "selinux-policy-hash",  // likewise
    "blacklisted-hash",     // security/integrity/ima/ima_appraise.c
};
constexpr std::string_view kEventPrefixes[] = {
    "dm_",         // drivers/md/dm-ima.c
    "ima_policy",  // proposed for writes to the IMA policy, not merged when this was written
};

bool is_event(std::string_view name) {
  return std::ranges::find(kEvents, name) != std::end(kEvents) ||
         std::ranges::any_of(kEventPrefixes,
                             [&](std::string_view prefix) { return name.starts_with(prefix); });
}

BufferKind kind_of(std::string_view name, ByteView content) {
  if (name == kCommandLineName) return BufferKind::kCommandLine;
  if (is_event(name)) return BufferKind::kCriticalData;
  // The kernel's own keyrings: ".ima", ".builtin_trusted_keys", "_evm".
  if (name.starts_with('.') || name.starts_with('_')) return BufferKind::kKey;
  return read_certificate(content) ? BufferKind::kKey : BufferKind::kCriticalData;
}

std::string shown_name(std::string_view name) {
  return shorten(escape_bytes(name.substr(0, 4 * kMaxNameBytes)), kMaxNameBytes);
}

std::string shown_text(ByteView content) {
  return escape_bytes(as_text(content.first(std::min(content.size(), kMaxTextBytes))));
}

std::string size_and_digest(ByteView content) {
  return std::to_string(content.size()) + " bytes, " +
         format_digest(hash(HashAlg::kSha256, content));
}

std::string describe_key(const MeasuredBuffer& buffer) {
  const std::string keyring = "key for keyring " + shown_name(buffer.name) + ": ";
  const auto facts = read_certificate(buffer.content);
  if (!facts) return keyring + "not an X.509 certificate, " + size_and_digest(buffer.content);
  return keyring +
         (facts->subject.empty() ? "no subject" : "'" + shown_name(facts->subject) + "'") + ", " +
         facts->key + ", serial " + facts->serial + ", certificate " + format_digest(facts->sha256);
}

// "initialized=1;enforcing=1;checkreqprot=0;" and the policy's capabilities.
std::string describe_selinux_state(ByteView content) {
  const std::string_view text = as_text(content);
  const auto is_on = [&](std::string_view key) -> std::optional<bool> {
    const std::size_t at = text.find(key);
    if (at == std::string_view::npos || (at > 0 && text[at - 1] != ';')) return std::nullopt;
    const std::string_view value = text.substr(at + key.size(), 3);
    if (value == "=1;") return true;
    return value == "=0;" ? std::optional(false) : std::nullopt;
  };
  const auto initialized = is_on("initialized");
  const auto enforcing = is_on("enforcing");
  if (!initialized || !enforcing) return "SELinux in an unknown state: " + shown_text(content);
  if (!*initialized) return "SELinux without a policy: " + shown_text(content);
  return (*enforcing ? "SELinux enforcing: " : "SELinux permissive: ") + shown_text(content);
}

// The buffer is a digest of the same algorithm as the entry's own.
std::string describe_hash(const MeasuredBuffer& buffer, const std::string& of) {
  const auto digest = buffer.alg ? Digest::from(*buffer.alg, buffer.content) : std::nullopt;
  return of + " " +
         (digest ? format_digest(*digest)
                 : "of an unknown form, " + size_and_digest(buffer.content));
}

std::string describe_critical_data(const MeasuredBuffer& buffer) {
  const std::string_view name = buffer.name;
  if (name == "kernel_version") return "kernel version " + shown_text(buffer.content);
  if (name == "kexec_load" || name == "kexec_execute") {
    return "measurement log at " + std::string(name) + ": " + shown_text(buffer.content);
  }
  if (name == "selinux-state") return describe_selinux_state(buffer.content);
  if (name == "selinux-policy-hash") return describe_hash(buffer, "SELinux policy");
  if (name == "blacklisted-hash") {
    return "file that the kernel's blacklist refuses, digest " +
           to_hex(buffer.content.first(std::min(buffer.content.size(), kMaxHashSize)));
  }
  if (auto words = describe_device_mapper(name, buffer.content)) return *std::move(words);
  const std::string what = name.starts_with("ima_policy") ? "IMA policy '" : "critical data '";
  return what + shown_name(name) + "', " + size_and_digest(buffer.content);
}

std::string words_of(const MeasuredBuffer& buffer) {
  switch (buffer.kind) {
    case BufferKind::kKey:
      return describe_key(buffer);
    case BufferKind::kCommandLine:
      return "kexec command line: " + shown_text(buffer.content);
    case BufferKind::kCriticalData:
      return describe_critical_data(buffer);
  }
  return {};
}

}  // namespace

bool has_buffer(const ImaEntry& entry) {
  const auto buffer = entry.violation ? std::nullopt : entry.find(ImaField::kBuf);
  return buffer && !buffer->empty();
}

std::optional<MeasuredBuffer> measured_buffer(const ImaEntry& entry) {
  if (!has_buffer(entry)) return std::nullopt;
  const ByteView content = *entry.find(ImaField::kBuf);
  return MeasuredBuffer{
      .kind = kind_of(entry.name, content),
      .name = entry.name,
      .content = content,
      .alg = entry.file_digest ? std::optional(entry.file_digest->alg()) : std::nullopt};
}

bool contradicts_buffer(const ImaEntry& entry) {
  return has_buffer(entry) && entry.file_digest &&
         hash(entry.file_digest->alg(), *entry.find(ImaField::kBuf)) != *entry.file_digest;
}

std::string describe(const MeasuredBuffer& buffer) {
  return shorten(words_of(buffer), kMaxBufferWords);
}

std::string golden_path(const MeasuredBuffer& buffer) {
  switch (buffer.kind) {
    case BufferKind::kKey:
      return "keyring:" + std::string(buffer.name);
    case BufferKind::kCommandLine:
      return "kexec:command-line";
    case BufferKind::kCriticalData:
      return "critical:" + std::string(buffer.name);
  }
  return {};
}

FaultId unknown_buffer_fault(BufferKind kind) {
  switch (kind) {
    case BufferKind::kKey:
      return FaultId::kImaUnknownKey;
    case BufferKind::kCommandLine:
      return FaultId::kImaUnknownCommandLine;
    case BufferKind::kCriticalData:
      return FaultId::kImaUnknownCriticalData;
  }
  return FaultId::kImaUnknownDigest;
}

}  // namespace assay
