#include "core/ima_log.h"

#include <algorithm>
#include <span>

namespace assay {
namespace {

constexpr std::size_t kMaxTemplateNameBytes = 256;
constexpr std::size_t kMaxTemplateDataBytes = std::size_t{1} << 20;
constexpr std::size_t kHeaderDigestBytes = 20;
constexpr std::size_t kLegacyNameBytes = 255;  // Linux IMA_EVENT_NAME_LEN_MAX
constexpr std::string_view kLegacyTemplate = "ima";

struct FieldName {
  std::string_view name;
  ImaField field;
};

constexpr FieldName kFieldNames[] = {
    {"d", ImaField::kD},
    {"d-ng", ImaField::kDNg},
    {"d-ngv2", ImaField::kDNgV2},
    {"n", ImaField::kN},
    {"n-ng", ImaField::kNNg},
    {"sig", ImaField::kSig},
    {"buf", ImaField::kBuf},
    {"d-modsig", ImaField::kDModsig},
    {"modsig", ImaField::kModsig},
    {"evmsig", ImaField::kEvmSig},
    {"xattrnames", ImaField::kXattrNames},
    {"xattrlengths", ImaField::kXattrLengths},
    {"xattrvalues", ImaField::kXattrValues},
    {"iuid", ImaField::kIuid},
    {"igid", ImaField::kIgid},
    {"imode", ImaField::kImode},
};

struct TemplateName {
  std::string_view name;
  std::string_view format;
};

// Linux ima_template.c builtin_templates[]. "ima" is laid out otherwise and handled apart.
constexpr TemplateName kTemplates[] = {
    {"ima-ng", "d-ng|n-ng"},
    {"ima-sig", "d-ng|n-ng|sig"},
    {"ima-ngv2", "d-ngv2|n-ng"},
    {"ima-sigv2", "d-ngv2|n-ng|sig"},
    {"ima-buf", "d-ng|n-ng|buf"},
    {"ima-modsig", "d-ng|n-ng|sig|d-modsig|modsig"},
    {"evm-sig", "d-ng|n-ng|evmsig|xattrnames|xattrlengths|xattrvalues|iuid|igid|imode"},
};

std::string at(std::uint64_t index) {
  return "entry " + std::to_string(index) + ": ";
}

std::optional<ImaField> field_by_name(std::string_view name) {
  for (const FieldName& row : kFieldNames) {
    if (row.name == name) return row.field;
  }
  return std::nullopt;
}

// The format string of a template: a built-in one's, or the name itself.
std::string_view format_of(std::string_view template_name) {
  for (const TemplateName& row : kTemplates) {
    if (row.name == template_name) return row.format;
  }
  return template_name;
}

// Splits `format` at '|' into entry.fields. False when a field is not known or there are too many.
bool set_fields(ImaEntry& entry, std::string_view format) {
  while (true) {
    const std::size_t bar = format.find('|');
    const auto field = field_by_name(format.substr(0, bar));
    if (!field || entry.field_count == kMaxImaFields) return false;
    entry.fields[entry.field_count++].field = *field;
    if (bar == std::string_view::npos) return true;
    format.remove_prefix(bar + 1);
  }
}

Status read_values(ImaEntry& entry) {
  ByteReader reader(entry.template_data);
  for (std::size_t i = 0; i < entry.field_count; ++i) {
    entry.fields[i].value = reader.take(reader.u32_le());
  }
  if (!reader.ok() || !reader.at_end()) {
    return fail(FaultId::kImaMalformed, at(entry.index) + "data is not its template's fields");
  }
  return {};
}

// "sha256:\0" digest, or with a type in front "verity:sha256:\0" digest. A violation's digest is
// zero bytes whose number differs between kernels: nothing is read from it.
Status read_prefixed_digest(ImaEntry& entry, ByteView value, bool typed) {
  if (entry.violation) return {};
  const auto nul = std::ranges::find(value, std::uint8_t{0});
  const auto prefix_size = static_cast<std::size_t>(nul - value.begin());
  std::string_view prefix = as_text(value.first(prefix_size));
  if (nul == value.end() || !prefix.ends_with(':')) {
    return fail(FaultId::kImaMalformed, at(entry.index) + "digest without algorithm");
  }
  prefix.remove_suffix(1);
  if (typed) {
    const std::size_t colon = prefix.find(':');
    const std::string_view type = prefix.substr(0, colon);
    if (colon == std::string_view::npos || (type != "ima" && type != "verity")) {
      return fail(FaultId::kImaMalformed, at(entry.index) + "digest without type");
    }
    prefix.remove_prefix(colon + 1);
  }
  const auto alg = hash_by_name(prefix);
  if (!alg) return {};  // judged: nothing vouches for a digest that nobody understands
  entry.file_digest = Digest::from(*alg, value.subspan(prefix_size + 1));
  if (!entry.file_digest) {
    return fail(FaultId::kImaMalformed, at(entry.index) + "digest of a wrong length");
  }
  return {};
}

Status read_name(ImaEntry& entry, ByteView value, bool terminated) {
  if (terminated) {
    if (value.empty() || value.back() != 0) {
      return fail(FaultId::kImaMalformed, at(entry.index) + "name without its NUL");
    }
    value = value.first(value.size() - 1);
  }
  entry.name = as_text(value);
  return {};
}

Status read_meaning(ImaEntry& entry) {
  for (const ImaFieldValue& f : std::span(entry.fields).first(entry.field_count)) {
    switch (f.field) {
      case ImaField::kD:
        if (f.value.size() != hash_size(HashAlg::kSha1)) {
          return fail(FaultId::kImaMalformed, at(entry.index) + "digest of a wrong length");
        }
        if (!entry.violation) entry.file_digest = Digest::from(HashAlg::kSha1, f.value);
        break;
      case ImaField::kDNg:
        ASSAY_OK(read_prefixed_digest(entry, f.value, false));
        break;
      case ImaField::kDNgV2:
        ASSAY_OK(read_prefixed_digest(entry, f.value, true));
        break;
      case ImaField::kN:
      case ImaField::kNNg:
        ASSAY_OK(read_name(entry, f.value, true));
        break;
      default:
        break;
    }
  }
  return {};
}

// Template "ima": digest[20], then the name with a length in front, and no length over it all.
Status read_legacy(ImaEntry& entry, ByteReader& reader) {
  entry.legacy = true;
  const ByteView whole = reader.rest();
  const ByteView digest = reader.take(hash_size(HashAlg::kSha1));
  const std::uint32_t name_size = reader.u32_le();
  if (name_size > kLegacyNameBytes) {
    return fail(FaultId::kImaMalformed, at(entry.index) + "legacy name over 255 bytes");
  }
  const ByteView name = reader.take(name_size);
  if (!reader.ok()) return fail(FaultId::kImaMalformed, at(entry.index) + "cut short");
  entry.template_data = whole.first(digest.size() + sizeof name_size + name.size());
  entry.fields[0] = {ImaField::kD, digest};
  entry.fields[1] = {ImaField::kN, name};
  entry.field_count = 2;
  if (!entry.violation) entry.file_digest = Digest::from(HashAlg::kSha1, digest);
  return read_name(entry, name, false);
}

Status read_fields(ImaEntry& entry, ByteReader& reader) {
  const std::uint32_t data_size = reader.u32_le();
  if (data_size > kMaxTemplateDataBytes) {
    return fail(FaultId::kImaTooLarge, at(entry.index) + "template data over 1 MiB");
  }
  entry.template_data = reader.take(data_size);
  if (!reader.ok()) return fail(FaultId::kImaMalformed, at(entry.index) + "cut short");
  if (!set_fields(entry, format_of(entry.template_name))) {
    return fail(FaultId::kImaUnknownTemplate, at(entry.index) + "unknown template");
  }
  ASSAY_OK(read_values(entry));
  return read_meaning(entry);
}

}  // namespace

std::optional<ByteView> ImaEntry::find(ImaField field) const {
  for (const ImaFieldValue& f : std::span(fields).first(field_count)) {
    if (f.field == field) return f.value;
  }
  return std::nullopt;
}

Digest template_digest(const ImaEntry& entry, Hasher& hasher) {
  if (entry.violation) return Digest::filled(hasher.alg(), 0xff);
  if (!entry.legacy) return hasher(entry.template_data);
  // Linux ima_crypto.c ima_calc_field_array_hash_tfm(): the name is hashed in a 256-byte buffer.
  static constexpr std::array<std::uint8_t, kLegacyNameBytes + 1> kZeros{};
  const ByteView name = entry.fields[1].value;
  return hasher({entry.fields[0].value, name, ByteView(kZeros).subspan(name.size())});
}

Result<ImaEntry> ImaLogReader::next() {
  ImaEntry entry;
  entry.index = next_index_;
  const std::uint32_t pcr = reader_.u32_le();
  entry.header_digest = reader_.take(kHeaderDigestBytes);
  const std::uint32_t name_size = reader_.u32_le();
  if (reader_.ok() && name_size > kMaxTemplateNameBytes) {
    return fail(FaultId::kImaTooLarge, at(entry.index) + "template name over 256 bytes");
  }
  entry.template_name = as_text(reader_.take(name_size));
  if (!reader_.ok()) return fail(FaultId::kImaMalformed, at(entry.index) + "cut short");
  const auto index = PcrIndex::from(pcr);
  if (!index) return fail(FaultId::kImaMalformed, at(entry.index) + "PCR over 23");
  entry.pcr = *index;
  entry.violation = std::ranges::all_of(entry.header_digest, [](std::uint8_t b) { return b == 0; });
  ASSAY_OK(entry.template_name == kLegacyTemplate ? read_legacy(entry, reader_)
                                                  : read_fields(entry, reader_));
  ++next_index_;
  return entry;
}

}  // namespace assay
