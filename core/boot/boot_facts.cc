#include "core/boot/boot_facts.h"

#include <algorithm>
#include <map>

namespace assay {
namespace {

constexpr PcrIndex kApplicationPcr = PcrIndex::of<4>();
constexpr PcrIndex kSecureBootPcr = PcrIndex::of<7>();
constexpr PcrIndex kCommandPcr = PcrIndex::of<8>();
constexpr PcrIndex kFilePcr = PcrIndex::of<9>();
constexpr PcrIndex kShimPcr = PcrIndex::of<14>();

constexpr HashAlg kByStrength[] = {HashAlg::kSha512, HashAlg::kSha384, HashAlg::kSha256,
                                   HashAlg::kSha1};

// UEFI 2.10, 3.3 and 32.4: 8be4df61-93ca-11d2-aa0d-00e098032b8c, d719b2cb-3d3a-4596-a3bc-dad00e67656f,
// as they are in memory.
constexpr std::uint8_t kGlobalVariable[] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
                                            0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
constexpr std::uint8_t kImageSecurity[] = {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45,
                                           0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f};

struct KnownVariable {
  std::string_view name;
  ByteView guid;
};
constexpr std::string_view kSecureBoot = "SecureBoot";
const KnownVariable kKnownVariables[] = {{kSecureBoot, kGlobalVariable},
                                         {"PK", kGlobalVariable},
                                         {"KEK", kGlobalVariable},
                                         {"db", kImageSecurity},
                                         {"dbx", kImageSecurity}};

// What PCRs 4 and 9 hold beside what was run and read. TCG PFP 1.05, 3.3.4.5, 10.4.1, and for BIOS
// the PC Client Specific Implementation Specification for Conventional BIOS, 1.21.
constexpr std::string_view kSeparators[] = {std::string_view("\0\0\0\0", 4),
                                            std::string_view("\xff\xff\xff\xff", 4)};
constexpr std::string_view kActions[] = {
    "Calling EFI Application from Boot Option", "Returning from EFI Application from Boot Option",
    "Calling INT 19h", "Returned INT 19h", "Return via INT 18h"};

bool is_separator(ByteView proven) {
  return std::ranges::find(kSeparators, as_text(proven)) != std::end(kSeparators);
}

bool is_harmless(ByteView proven) {
  return is_separator(proven) || std::ranges::find(kActions, as_text(proven)) != std::end(kActions);
}

// UTF-16LE as Latin characters; nothing when there is any other in it.
std::optional<std::string> narrow(ByteView utf16) {
  std::string out;
  for (std::size_t i = 0; i + 1 < utf16.size(); i += 2) {
    if (utf16[i + 1] != 0) return std::nullopt;
    out.push_back(static_cast<char>(utf16[i]));
  }
  return out;
}

struct Variable {
  std::string_view name;
  ByteView data;
};

// The variable that `proven` is, when it is one that we know. UEFI_VARIABLE_DATA: GUID, length of the
// name in characters, size of the data, name in UTF-16, data. TCG PFP 1.05, 10.2.6.
std::optional<Variable> known_variable(ByteView proven) {
  ByteReader reader(proven);
  const ByteView guid = reader.take(16);
  const std::uint64_t name_chars = reader.u64_le();
  const std::uint64_t data_size = reader.u64_le();
  if (!reader.ok() || name_chars > proven.size() || data_size > proven.size()) return std::nullopt;
  const auto name = narrow(reader.take(name_chars * 2));
  const ByteView data = reader.take(data_size);
  if (!reader.ok() || !reader.at_end() || !name) return std::nullopt;
  for (const KnownVariable& known : kKnownVariables) {
    if (known.name == *name && std::ranges::equal(known.guid, guid)) {
      return Variable{.name = known.name, .data = data};
    }
  }
  return std::nullopt;
}

// The last file path in a UEFI_IMAGE_LOAD_EVENT's device path, for people; empty when it has none.
// TCG PFP 1.05, 10.2.3; UEFI 2.10, 10.3.5.4.
std::string image_path(ByteView data) {
  constexpr std::uint8_t kMedia = 4;
  constexpr std::uint8_t kFilePath = 4;
  ByteReader reader(data);
  reader.take(32);
  std::string out;
  while (reader.ok() && !reader.at_end()) {
    const std::uint8_t type = reader.u8();
    const std::uint8_t subtype = reader.u8();
    const std::uint16_t size = reader.u16_le();
    if (size < 4) break;
    const ByteView body = reader.take(size - 4U);
    if (type == kMedia && subtype == kFilePath) out = narrow(body).value_or("");
  }
  return out.substr(0, out.find('\0'));
}

// What a log's writer calls an event: its text, or what kind it says it is.
std::string label_of(const BootEvent& event) {
  std::string out;
  if (event.type == BootEventType::kEfiBootServicesApplication ||
      event.type == BootEventType::kEfiBootServicesDriver) {
    out = image_path(event.data);
  } else if (event.type == BootEventType::kEventTag && event.data.size() > 8) {
    out = as_text(event.data.subspan(8));
  } else if (event.type == BootEventType::kIpl) {
    out = as_text(event.data);
  }
  out = out.substr(0, out.find('\0'));
  if (out.empty()) out = boot_event_type_name(event.type);
  return out.substr(0, kMaxBootText);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

std::string_view first_word(std::string_view text) {
  return text.substr(0, text.find(' '));
}

std::string_view after_word(std::string_view text) {
  const std::size_t space = text.find(' ');
  return space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
}

// The kernel's arguments in what GRUB has measured; nothing when it is no kernel's command line.
std::optional<std::string_view> kernel_arguments(std::string_view text) {
  constexpr std::string_view kCommands[] = {"linux", "linux16", "linuxefi"};
  text = trimmed(text);
  const bool command = std::ranges::find(kCommands, first_word(text)) != std::end(kCommands);
  if (command) return after_word(after_word(text));
  if (text.starts_with('/') || text.starts_with('(')) return after_word(text);
  return std::nullopt;
}

Bytes utf16_with_nul(ByteView text) {
  Bytes out;
  out.reserve(text.size() * 2 + 2);
  for (const std::uint8_t c : text) {
    out.push_back(c);
    out.push_back(0);
  }
  out.insert(out.end(), 2, 0);
  return out;
}

class Describer {
 public:
  Describer(const QuotedPcrs& quoted, ByteView command_line)
      : quoted_(quoted), command_line_(command_line), as_measured_(utf16_with_nul(command_line)) {}

  void add(const AttestedBootEvent& attested) {
    const PcrIndex pcr = *attested.event.pcr;
    if (pcr == kSecureBootPcr) add_secure_boot(attested.proven_data);
    if (pcr == kCommandPcr) {
      if (const auto line = kernel_arguments(as_text(attested.proven_data))) add_line(*line);
    }
    if (pcr == kApplicationPcr && !is_harmless(attested.proven_data)) {
      add_image(facts_.applications, attested.event);
    }
    if (pcr == kFilePcr && !is_harmless(attested.proven_data)) {
      if (is_command_line(attested.event)) {
        add_line(as_text(command_line_));
      } else {
        add_image(facts_.files, attested.event);
      }
    }
  }

  BootFacts take() && { return std::move(facts_); }

 private:
  void add_secure_boot(ByteView proven) {
    if (is_separator(proven)) after_separator_ = true;
    const auto found = known_variable(proven);
    if (!found || after_separator_) return;
    if (found->name == kSecureBoot) {
      const bool on = found->data.size() == 1 && found->data[0] == 1;
      facts_.secure_boot = facts_.secure_boot.value_or(true) && on;
    } else if (facts_.variables.size() < kMaxBootFacts) {
      facts_.variables.push_back(
          {.name = std::string(found->name), .digest = hash(HashAlg::kSha256, found->data)});
    } else {
      ++facts_.unlisted;
    }
  }

  void add_line(std::string_view line) {
    if (std::ranges::find(facts_.command_lines, line) != facts_.command_lines.end()) return;
    if (facts_.command_lines.size() < kMaxBootFacts && line.size() <= kMaxBootText) {
      facts_.command_lines.emplace_back(line);
    } else {
      ++facts_.unlisted;
    }
  }

  void add_image(std::vector<BootImage>& images, const BootEvent& event) {
    if (images.size() == kMaxBootFacts) {
      ++facts_.unlisted;
      return;
    }
    images.push_back(
        {.pcr = *event.pcr, .digests = proven_digests(event), .label = label_of(event)});
  }

  std::vector<Digest> proven_digests(const BootEvent& event) const {
    std::vector<Digest> out;
    for (const HashAlg bank : kByStrength) {
      const auto digest = event.digest(bank);
      if (digest && quoted_.find({bank, *event.pcr}) != nullptr) out.push_back(*digest);
    }
    return out;
  }

  bool is_command_line(const BootEvent& event) const {
    const std::vector<Digest> digests = proven_digests(event);
    return !command_line_.empty() && !digests.empty() &&
           std::ranges::all_of(digests, [&](const Digest& digest) {
             return hash(digest.alg(), as_measured_) == digest;
           });
  }

  const QuotedPcrs& quoted_;
  ByteView command_line_;
  Bytes as_measured_;
  bool after_separator_ = false;
  BootFacts facts_{.has_log = true};
};

PcrValues boot_pcrs(const QuotedPcrs& quoted) {
  PcrValues out;
  for (const auto& [slot, value] : quoted.values()) {
    if (slot.index <= kFilePcr || slot.index == kShimPcr) out.emplace(slot, value);
  }
  return out;
}

}  // namespace

BootFacts describe_boot(const QuotedPcrs& quoted, const AttestedBootLog* log,
                        ByteView command_line) {
  BootFacts out;
  if (log != nullptr) {
    Describer describer(quoted, command_line);
    for (const AttestedBootEvent& event : log->events()) describer.add(event);
    out = std::move(describer).take();
  }
  out.pcrs = boot_pcrs(quoted);
  return out;
}

}  // namespace assay
