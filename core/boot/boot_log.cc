#include "core/boot/boot_log.h"

#include <algorithm>
#include <map>
#include <span>
#include <string>

#include "core/tpm_types.h"

namespace assay {
namespace {

constexpr std::size_t kMaxLogBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxEventDataBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxEvents = 10'000;
constexpr std::size_t kMaxAlgorithms = 16;

constexpr std::string_view kSpecId("Spec ID Event03\0", 16);
constexpr std::string_view kStartupLocality("StartupLocality\0", 16);
constexpr std::uint8_t kHcrtmLocality = 4;

constexpr PcrIndex kFirstBootPcr = PcrIndex::of<0>();
constexpr PcrIndex kLastBootPcr = PcrIndex::of<9>();
constexpr PcrIndex kShimPcr = PcrIndex::of<14>();

// Banks by how much a replay in them proves, as verify_quote() orders them.
constexpr HashAlg kBanksByStrength[] = {HashAlg::kSha256, HashAlg::kSha384, HashAlg::kSha512,
                                        HashAlg::kSha1};

struct TypeName {
  BootEventType type;
  std::string_view name;
};

constexpr TypeName kTypeNames[] = {
    {BootEventType::kPrebootCert, "EV_PREBOOT_CERT"},
    {BootEventType::kPostCode, "EV_POST_CODE"},
    {BootEventType::kNoAction, "EV_NO_ACTION"},
    {BootEventType::kSeparator, "EV_SEPARATOR"},
    {BootEventType::kAction, "EV_ACTION"},
    {BootEventType::kEventTag, "EV_EVENT_TAG"},
    {BootEventType::kSCrtmContents, "EV_S_CRTM_CONTENTS"},
    {BootEventType::kSCrtmVersion, "EV_S_CRTM_VERSION"},
    {BootEventType::kCpuMicrocode, "EV_CPU_MICROCODE"},
    {BootEventType::kPlatformConfigFlags, "EV_PLATFORM_CONFIG_FLAGS"},
    {BootEventType::kTableOfDevices, "EV_TABLE_OF_DEVICES"},
    {BootEventType::kCompactHash, "EV_COMPACT_HASH"},
    {BootEventType::kIpl, "EV_IPL"},
    {BootEventType::kIplPartitionData, "EV_IPL_PARTITION_DATA"},
    {BootEventType::kNonhostCode, "EV_NONHOST_CODE"},
    {BootEventType::kNonhostConfig, "EV_NONHOST_CONFIG"},
    {BootEventType::kNonhostInfo, "EV_NONHOST_INFO"},
    {BootEventType::kOmitBootDeviceEvents, "EV_OMIT_BOOT_DEVICE_EVENTS"},
    {BootEventType::kPostCode2, "EV_POST_CODE2"},
    {BootEventType::kEfiVariableDriverConfig, "EV_EFI_VARIABLE_DRIVER_CONFIG"},
    {BootEventType::kEfiVariableBoot, "EV_EFI_VARIABLE_BOOT"},
    {BootEventType::kEfiBootServicesApplication, "EV_EFI_BOOT_SERVICES_APPLICATION"},
    {BootEventType::kEfiBootServicesDriver, "EV_EFI_BOOT_SERVICES_DRIVER"},
    {BootEventType::kEfiRuntimeServicesDriver, "EV_EFI_RUNTIME_SERVICES_DRIVER"},
    {BootEventType::kEfiGptEvent, "EV_EFI_GPT_EVENT"},
    {BootEventType::kEfiAction, "EV_EFI_ACTION"},
    {BootEventType::kEfiPlatformFirmwareBlob, "EV_EFI_PLATFORM_FIRMWARE_BLOB"},
    {BootEventType::kEfiHandoffTables, "EV_EFI_HANDOFF_TABLES"},
    {BootEventType::kEfiPlatformFirmwareBlob2, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"},
    {BootEventType::kEfiHandoffTables2, "EV_EFI_HANDOFF_TABLES2"},
    {BootEventType::kEfiVariableBoot2, "EV_EFI_VARIABLE_BOOT2"},
    {BootEventType::kEfiGptEvent2, "EV_EFI_GPT_EVENT2"},
    {BootEventType::kEfiHcrtmEvent, "EV_EFI_HCRTM_EVENT"},
    {BootEventType::kEfiVariableAuthority, "EV_EFI_VARIABLE_AUTHORITY"},
    {BootEventType::kEfiSpdmFirmwareBlob, "EV_EFI_SPDM_FIRMWARE_BLOB"},
    {BootEventType::kEfiSpdmFirmwareConfig, "EV_EFI_SPDM_FIRMWARE_CONFIG"},
};

// ---- bytes to events ----

std::string at(std::uint64_t index) {
  return "event " + std::to_string(index);
}

tl::unexpected<Fault> malformed(std::uint64_t index, std::string_view why) {
  return fail(FaultId::kBootMalformed, at(index) + ": " + std::string(why));
}

// An algorithm that the first event lists. `alg` is nothing when we only know to skip it.
struct ListedDigest {
  std::uint16_t tpm_id;
  std::uint16_t size;
  std::optional<HashAlg> alg;
};

// Sets the event's register; one that no event could have extended is a fault.
Status set_pcr(BootEvent& event, std::uint32_t pcr) {
  event.pcr = PcrIndex::from(pcr);
  if (!event.pcr && event.type != BootEventType::kNoAction) {
    return malformed(event.index, "PCR over 23");
  }
  return {};
}

Status read_data(BootEvent& event, ByteReader& reader) {
  const std::uint32_t size = reader.u32_le();
  if (size > kMaxEventDataBytes) return malformed(event.index, "data over 1 MiB");
  event.data = reader.take(size);
  if (!reader.ok()) return malformed(event.index, "cut short");
  return {};
}

// TCG_PCR_EVENT: pcrIndex, eventType, SHA-1 digest, eventDataSize, event. TCG PFP 1.05, 10.2.1.
Result<BootEvent> read_legacy_event(ByteReader& reader, std::uint64_t index) {
  BootEvent event;
  event.index = index;
  const std::uint32_t pcr = reader.u32_le();
  event.type = BootEventType{reader.u32_le()};
  event.digests[static_cast<std::size_t>(HashAlg::kSha1)] = reader.take(hash_size(HashAlg::kSha1));
  ASSAY_OK(read_data(event, reader));
  ASSAY_OK(set_pcr(event, pcr));
  return event;
}

// TPML_DIGEST_VALUES: count, then hashAlg and digest each, in any order.
Status read_digests(BootEvent& event, ByteReader& reader, std::span<const ListedDigest> listed) {
  const std::uint32_t count = reader.u32_le();
  if (!reader.ok()) return malformed(event.index, "cut short");
  if (count == 0 || count > listed.size()) {
    return malformed(event.index, std::to_string(count) + " digests where " +
                                      std::to_string(listed.size()) + " algorithms are listed");
  }
  std::array<bool, kMaxAlgorithms> seen{};
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint16_t id = reader.u16_le();
    const auto it = std::ranges::find(listed, id, &ListedDigest::tpm_id);
    if (!reader.ok()) return malformed(event.index, "cut short");
    if (it == listed.end()) return malformed(event.index, "a digest of an unlisted algorithm");
    bool& again = seen[static_cast<std::size_t>(it - listed.begin())];
    if (again) return malformed(event.index, "two digests of one algorithm");
    again = true;
    const ByteView digest = reader.take(it->size);
    if (it->alg) event.digests[static_cast<std::size_t>(*it->alg)] = digest;
  }
  return {};
}

// TCG_PCR_EVENT2: pcrIndex, eventType, digests, eventSize, event. TCG PFP 1.05, 10.2.2.
Result<BootEvent> read_agile_event(ByteReader& reader, std::uint64_t index,
                                   std::span<const ListedDigest> listed) {
  BootEvent event;
  event.index = index;
  const std::uint32_t pcr = reader.u32_le();
  event.type = BootEventType{reader.u32_le()};
  ASSAY_OK(read_digests(event, reader, listed));
  ASSAY_OK(read_data(event, reader));
  ASSAY_OK(set_pcr(event, pcr));
  return event;
}

bool starts_with(ByteView data, std::string_view prefix) {
  return as_text(data).starts_with(prefix);
}

// TCG_EfiSpecIDEvent: signature, platformClass, four version bytes, the algorithms, vendor info.
// TCG PFP 1.05, 10.4.5.1.
Result<std::vector<ListedDigest>> read_spec_id(ByteView data) {
  ByteReader reader(data);
  reader.take(kSpecId.size() + sizeof(std::uint32_t) + 4);
  const std::uint32_t count = reader.u32_le();
  if (!reader.ok()) return malformed(0, "cut short");
  if (count == 0 || count > kMaxAlgorithms) {
    return malformed(0, "lists " + std::to_string(count) + " digest algorithms");
  }
  std::vector<ListedDigest> listed;
  for (std::uint32_t i = 0; i < count; ++i) {
    ListedDigest entry{.tpm_id = reader.u16_le(), .size = reader.u16_le(), .alg = {}};
    entry.alg = hash_from_tpm(entry.tpm_id);
    if (std::ranges::find(listed, entry.tpm_id, &ListedDigest::tpm_id) != listed.end()) {
      return malformed(0, "lists a digest algorithm twice");
    }
    if (entry.alg && entry.size != hash_size(*entry.alg)) {
      return malformed(0, "lists a digest size that is not the algorithm's");
    }
    listed.push_back(entry);
  }
  reader.take(reader.u8());
  if (!reader.ok() || !reader.at_end()) return malformed(0, "is not a Spec ID event");
  return listed;
}

std::uint8_t locality_of(const std::vector<BootEvent>& events) {
  std::optional<std::uint8_t> logged;
  for (const BootEvent& event : events) {
    if (event.pcr != kFirstBootPcr) continue;
    if (event.type == BootEventType::kEfiHcrtmEvent) return kHcrtmLocality;
    if (event.type == BootEventType::kNoAction && starts_with(event.data, kStartupLocality) &&
        event.data.size() == kStartupLocality.size() + 1 && !logged) {
      logged = event.data.back();
    }
  }
  return logged.value_or(0);
}

// ---- what a digest is taken of ----

// The byte strings that an event's digest may be the hash of, the likeliest first, and whether it
// has to be one of them.
class HashedParts {
 public:
  explicit HashedParts(const BootEvent& event);

  std::span<const ByteView> parts() const { return std::span(parts_).first(count_); }
  bool has_to_match() const { return has_to_match_; }

 private:
  void add(ByteView part) { parts_[count_++] = part; }
  void add_without_nul(ByteView text);

  std::array<ByteView, 4> parts_;
  std::size_t count_ = 0;
  bool has_to_match_ = false;
};

ByteView without_nul(ByteView text) {
  return !text.empty() && text.back() == 0 ? text.first(text.size() - 1) : text;
}

bool is_printable(ByteView text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](std::uint8_t c) { return c >= 0x20 && c < 0x7f; });
}

// The data in a UEFI_VARIABLE_DATA: GUID, name length in characters, data length, UTF-16 name, data.
// Nothing when `bytes` is not exactly that (some firmware cuts it: tpm2-tools issue 2881).
// TCG PFP 1.05, 10.2.6.
std::optional<ByteView> variable_data(ByteView bytes) {
  ByteReader reader(bytes);
  reader.take(16);
  const std::uint64_t name_chars = reader.u64_le();
  const std::uint64_t data_size = reader.u64_le();
  if (name_chars > bytes.size() || data_size > bytes.size()) return std::nullopt;
  reader.take(name_chars * 2);
  const ByteView data = reader.take(data_size);
  if (!reader.ok() || !reader.at_end()) return std::nullopt;
  return data;
}

// UEFI_GPT_DATA: the 92 bytes of the disk's GPT header, the number of entries, the entries.
// UEFI 2.10, 5.3.2 and 5.3.3.
bool is_gpt_data(ByteView bytes) {
  ByteReader reader(bytes);
  const ByteView signature = reader.take(8);
  reader.take(76);
  const std::uint32_t entry_size = reader.u32_le();
  reader.take(4);
  const std::uint64_t entries = reader.u64_le();
  if (!reader.ok() || !starts_with(signature, "EFI PART") || entry_size == 0) return false;
  const std::size_t rest = reader.rest().size();
  return rest % entry_size == 0 && rest / entry_size == entries;
}

// What follows GRUB's label: its text after "grub_cmd: " and the like. Older ones have no colon and
// hash the NUL as well (tpm2-tools pull request 2303).
std::optional<ByteView> grub_text(ByteView data) {
  for (const std::string_view label : {"grub_cmd", "kernel_cmdline", "module_cmdline"}) {
    if (!starts_with(data, label)) continue;
    const ByteView rest = data.subspan(label.size());
    if (starts_with(rest, ": ")) return rest.subspan(2);
    if (starts_with(rest, " ")) return rest.subspan(1);
  }
  return std::nullopt;
}

void HashedParts::add_without_nul(ByteView text) {
  const ByteView bare = without_nul(text);
  if (bare.size() != text.size()) add(bare);
}

HashedParts::HashedParts(const BootEvent& event) {
  const std::uint8_t pcr = event.pcr->value();
  const ByteView data = event.data;
  add(data);
  switch (event.type) {
    case BootEventType::kSeparator:
      has_to_match_ = data.size() == 4;
      break;
    case BootEventType::kAction:
    case BootEventType::kEfiAction:
      add_without_nul(data);
      has_to_match_ = pcr <= 7 && is_printable(without_nul(data));
      break;
    case BootEventType::kEfiVariableDriverConfig:
    case BootEventType::kEfiVariableAuthority:
      if (!data.empty()) add(data.first(data.size() - 1));
      has_to_match_ = pcr == 7 && variable_data(data).has_value();
      break;
    case BootEventType::kEfiVariableBoot:
    case BootEventType::kEfiVariableBoot2:
      if (const auto value = variable_data(data)) {
        add(*value);
        has_to_match_ = pcr == 1;
      }
      break;
    case BootEventType::kEfiGptEvent:
      has_to_match_ = pcr == 5 && is_gpt_data(data);
      break;
    case BootEventType::kIpl:
      add_without_nul(data);
      if (const auto text = grub_text(data)) {
        add(*text);
        add_without_nul(*text);
        has_to_match_ = pcr == 8;
      }
      break;
    default:
      break;
  }
}

// Firmware that gives up extends the hash of the number 1 and logs what it likes about the error.
// TCG PFP 1.05, 10.4.1.
bool is_error_separator(const BootEvent& event, const Digest& digest, Hasher& hasher) {
  static constexpr std::array<std::uint8_t, 4> kOne = {1, 0, 0, 0};
  return event.type == BootEventType::kSeparator && hasher(kOne) == digest;
}

// The part of the event's data that `digest` is the hash of; empty when it is of something else.
Result<ByteView> proven_part(const BootEvent& event, const Digest& digest, Hasher& hasher) {
  const HashedParts hashed(event);
  for (const ByteView part : hashed.parts()) {
    if (hasher(part) == digest) return part;
  }
  if (hashed.has_to_match() && !is_error_separator(event, digest, hasher)) {
    return fail(FaultId::kBootEventDigestMismatch,
                at(event.index) + " (" + std::string(boot_event_type_name(event.type)) + ", PCR " +
                    std::to_string(event.pcr->value()) + ")");
  }
  return ByteView();
}

// ---- events to PCRs ----

bool is_boot_pcr(PcrIndex pcr) {
  return pcr <= kLastBootPcr;
}
bool is_replayed(PcrIndex pcr) {
  return is_boot_pcr(pcr) || pcr == kShimPcr;
}
bool is_extended(const BootEvent& event) {
  return event.type != BootEventType::kNoAction && event.pcr.has_value();
}

// The banks in which `quoted` can prove something of `log`.
std::set<HashAlg> provable_banks(const UntrustedBootLog& log, const QuotedPcrs& quoted) {
  std::set<HashAlg> out;
  for (const auto& [slot, value] : quoted.values()) {
    if (is_boot_pcr(slot.index) && log.banks().contains(slot.bank)) out.insert(slot.bank);
  }
  return out;
}

// Replays one bank and compares it with the quote.
Status replay_bank(const UntrustedBootLog& log, HashAlg bank, const QuotedPcrs& quoted) {
  Hasher hasher(bank);
  std::vector<Digest> pcrs(PcrIndex::kCount, Digest::zero(bank));
  std::array<std::uint64_t, PcrIndex::kCount> events{};
  Bytes first_value(hash_size(bank));
  first_value.back() = log.startup_locality();
  pcrs[kFirstBootPcr.value()] = *Digest::from(bank, first_value);
  for (const BootEvent& event : log.events()) {
    const auto digest = event.digest(bank);
    if (!is_extended(event) || !digest) continue;
    Digest& pcr = pcrs[event.pcr->value()];
    pcr = extend(hasher, pcr, *digest);
    ++events[event.pcr->value()];
  }
  for (const auto& [slot, want] : quoted.values()) {
    const std::uint8_t pcr = slot.index.value();
    const bool judged = is_boot_pcr(slot.index) || (slot.index == kShimPcr && events[pcr] > 0);
    if (slot.bank == bank && judged && pcrs[pcr] != want) {
      return fail(FaultId::kBootPcrMismatch,
                  std::string(hash_name(bank)) + " PCR " + std::to_string(pcr) + ": the log's " +
                      std::to_string(events[pcr]) + " events do not lead to the quoted value");
    }
  }
  return {};
}

// Whether the quote covers the event's register in `bank`, so that a digest in there is proven.
bool covers(const QuotedPcrs& quoted, HashAlg bank, const BootEvent& event) {
  return quoted.find({bank, *event.pcr}) != nullptr;
}

}  // namespace

std::string_view boot_event_type_name(BootEventType type) {
  for (const TypeName& row : kTypeNames) {
    if (row.type == type) return row.name;
  }
  return "EV_UNKNOWN";
}

std::optional<Digest> BootEvent::digest(HashAlg bank) const {
  return Digest::from(bank, digests[static_cast<std::size_t>(bank)]);
}

Result<UntrustedBootLog> parse_boot_log(ByteView bytes) {
  if (bytes.size() > kMaxLogBytes) return fail(FaultId::kBootMalformed, "over 4 MiB");
  UntrustedBootLog log;
  if (bytes.empty()) {
    log.banks_ = {std::begin(kAllHashAlgs), std::end(kAllHashAlgs)};
    return log;
  }
  ByteReader reader(bytes);
  ASSAY_TRY(const BootEvent first, read_legacy_event(reader, 0));
  const bool agile = first.type == BootEventType::kNoAction && starts_with(first.data, kSpecId);
  std::vector<ListedDigest> listed = {
      {.tpm_id = TPM2_ALG_SHA1, .size = hash_size(HashAlg::kSha1), .alg = HashAlg::kSha1}};
  if (agile) {
    ASSAY_TRY(listed, read_spec_id(first.data));
  }
  for (const ListedDigest& entry : listed) {
    if (entry.alg) log.banks_.insert(*entry.alg);
  }
  log.events_.push_back(first);
  while (!reader.at_end()) {
    const std::size_t index = log.events_.size();
    if (index == kMaxEvents) return fail(FaultId::kBootMalformed, "over 10000 events");
    ASSAY_TRY(const BootEvent event,
              agile ? read_agile_event(reader, index, listed) : read_legacy_event(reader, index));
    log.events_.push_back(event);
  }
  log.startup_locality_ = locality_of(log.events_);
  return log;
}

Result<AttestedBootLog> replay_boot_log(const UntrustedBootLog& log, const QuotedPcrs& quoted) {
  AttestedBootLog out;
  out.banks_ = provable_banks(log, quoted);
  if (out.banks_.empty()) {
    return fail(FaultId::kBootPcrMismatch,
                "the quote covers none of PCRs 0-9 in a bank that the log has digests for");
  }
  std::map<HashAlg, Hasher> hashers;
  for (const HashAlg bank : out.banks_) {
    ASSAY_OK(replay_bank(log, bank, quoted));
    hashers.emplace(bank, bank);
  }
  for (const BootEvent& event : log.events()) {
    const auto proves = [&](HashAlg bank) {
      return out.banks_.contains(bank) && covers(quoted, bank, event);
    };
    if (!is_extended(event) || !is_replayed(*event.pcr) ||
        std::ranges::none_of(kBanksByStrength, proves)) {
      ++out.unproven_events_;
      continue;
    }
    const auto bank = std::ranges::find_if(
        kBanksByStrength, [&](HashAlg alg) { return proves(alg) && event.digest(alg); });
    if (bank == std::end(kBanksByStrength)) {
      return fail(FaultId::kBootPcrMismatch, at(event.index) + " has no digest in a quoted bank");
    }
    ASSAY_TRY(const ByteView proven, proven_part(event, *event.digest(*bank), hashers.at(*bank)));
    out.events_.push_back({.event = event, .proven_data = proven});
  }
  return out;
}

}  // namespace assay
