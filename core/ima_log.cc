#include "core/ima_log.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace assay {
namespace {

constexpr std::size_t kMaxTemplateNameBytes = 256;
constexpr std::size_t kMaxTemplateDataBytes = std::size_t{1} << 20;
constexpr std::size_t kLegacyNameBytes = 255;  // Linux IMA_EVENT_NAME_LEN_MAX
constexpr std::string_view kLegacyTemplate = "ima";
constexpr std::string_view kVerityType = "verity";

std::string at(std::uint64_t index) {
  return "entry " + std::to_string(index) + ": ";
}

// Splits the template data into the fields of `layout`. False when they are not exactly those.
bool split_as(const ImaLayout& layout, ImaEntry& entry, ByteOrder order) {
  ByteReader reader(entry.template_data);
  for (std::size_t i = 0; i < layout.count; ++i) {
    const ByteView value = reader.take(reader.u32(order));
    entry.fields[i] = {layout.fields[i].field, layout.fields[i].name, value};
  }
  entry.field_count = layout.count;
  return reader.ok() && reader.at_end();
}

// Splits the template data into entry.fields. False when it is no sequence of at most 15 fields.
bool split(ImaEntry& entry, ByteOrder order) {
  entry.field_count = 0;
  ByteReader reader(entry.template_data);
  while (!reader.at_end()) {
    const ByteView value = reader.take(reader.u32(order));
    if (!reader.ok() || entry.field_count == kMaxImaFields) return false;
    entry.fields[entry.field_count++] = {.field = ImaField::kUnknown, .name = {}, .value = value};
  }
  return true;
}

// "sha256:\0" digest, or with a type in front "verity:sha256:\0" digest.
struct PrefixedDigest {
  std::string_view type;
  std::string_view algorithm;
  ByteView bytes;
};

std::optional<PrefixedDigest> read_prefixed(ByteView value) {
  static constexpr std::size_t kLongestPrefix = 40;
  const ByteView head = value.first(std::min(value.size(), kLongestPrefix));
  const auto nul = std::ranges::find(head, std::uint8_t{0});
  const auto size = static_cast<std::size_t>(nul - head.begin());
  std::string_view prefix = as_text(head.first(size));
  if (nul == head.end() || !prefix.ends_with(':')) return std::nullopt;
  prefix.remove_suffix(1);
  const std::size_t colon = prefix.find(':');
  if (colon == std::string_view::npos) return PrefixedDigest{{}, prefix, value.subspan(size + 1)};
  return PrefixedDigest{prefix.substr(0, colon), prefix.substr(colon + 1), value.subspan(size + 1)};
}

bool is_type(std::string_view type) {
  return type == "ima" || type == kVerityType;
}

// What follows `prefix`, its NUL included, when `value` begins so: for every entry, so sizes are known to
// the compiler.
template <std::size_t Size>
std::optional<Digest> digest_behind(const char (&prefix)[Size], HashAlg alg, ByteView value) {
  if (std::memcmp(value.data(), prefix, Size) != 0) return std::nullopt;
  return Digest::from(alg, value.subspan(Size));
}

// A field that can be nothing but a digest field.
bool has_digest_shape(ByteView value) {
  const auto prefixed = read_prefixed(value);
  if (!prefixed || (!prefixed->type.empty() && !is_type(prefixed->type))) return false;
  const auto alg = hash_by_name(prefixed->algorithm);
  return alg && prefixed->bytes.size() == hash_size(*alg);
}

// A violation's digest is zero bytes whose number differs between kernels: nothing is read from it.
Status read_digest(ImaEntry& entry, const ImaFieldValue& field) {
  entry.digest_kind = FileDigestKind::kFile;
  if (field.field == ImaField::kDNg) entry.file_digest = parse_digest_field(field.value);
  if (entry.file_digest) {
    entry.digest_state = FileDigestState::kKnown;
    return success();
  }
  const auto prefixed = read_prefixed(field.value);
  if (!prefixed) return fail(FaultId::kImaMalformed, at(entry.index) + "digest without algorithm");
  if ((field.field == ImaField::kDNgV2) ? !is_type(prefixed->type) : !prefixed->type.empty()) {
    return fail(FaultId::kImaMalformed, at(entry.index) + "digest of a wrong type");
  }
  if (prefixed->type == kVerityType) entry.digest_kind = FileDigestKind::kVerity;
  const auto alg = hash_by_name(prefixed->algorithm);
  entry.digest_state = FileDigestState::kUnsupported;
  if (!alg) return success();
  entry.file_digest = Digest::from(*alg, prefixed->bytes);
  if (!entry.file_digest) {
    return fail(FaultId::kImaMalformed, at(entry.index) + "digest of a wrong length");
  }
  entry.digest_state = FileDigestState::kKnown;
  return success();
}

Status read_sha1(ImaEntry& entry, ByteView value) {
  entry.digest_kind = FileDigestKind::kFile;
  entry.file_digest = Digest::from(HashAlg::kSha1, value);
  if (!entry.file_digest) {
    return fail(FaultId::kImaMalformed, at(entry.index) + "digest of a wrong length");
  }
  entry.digest_state = FileDigestState::kKnown;
  return success();
}

Status read_name(ImaEntry& entry, ByteView value) {
  if (value.empty() || value.back() != 0) {
    return fail(FaultId::kImaMalformed, at(entry.index) + "name without its NUL");
  }
  entry.name = as_text(value.first(value.size() - 1));
  return success();
}

Status read_file_digest(ImaEntry& entry, std::size_t at_field) {
  const ImaFieldValue& field = entry.fields[at_field];
  const bool plain = field.field == ImaField::kD;
  ASSAY_OK(plain ? read_sha1(entry, field.value) : read_digest(entry, field));
  const auto before = entry.all_fields().first(plain ? entry.field_count : at_field);
  if (std::ranges::any_of(before, has_digest_shape, &ImaFieldValue::value)) {
    entry.digest_state = FileDigestState::kContradicted;
    entry.file_digest.reset();
  }
  return success();
}

Status read_meaning(const ImaLayout& layout, ImaEntry& entry) {
  if (layout.digest && !entry.violation) ASSAY_OK(read_file_digest(entry, *layout.digest));
  return layout.name ? read_name(entry, entry.fields[*layout.name].value) : success();
}

// Template "ima": digest[20], then the name with a length in front, and no length over it all.
Status read_legacy(ImaEntry& entry, ByteReader& reader, ByteOrder order) {
  entry.legacy = true;
  const ByteView whole = reader.rest();
  const ByteView digest = reader.take(hash_size(HashAlg::kSha1));
  const std::uint32_t name_size = reader.u32(order);
  if (name_size > kLegacyNameBytes) {
    return fail(FaultId::kImaMalformed, at(entry.index) + "legacy name over 255 bytes");
  }
  const ByteView name = reader.take(name_size);
  if (!reader.ok()) return fail(FaultId::kImaMalformed, at(entry.index) + "cut short");
  entry.template_data = whole.first(digest.size() + sizeof name_size + name.size());
  entry.fields[0] = {ImaField::kD, "d", digest};
  entry.fields[1] = {ImaField::kN, "n", name};
  entry.field_count = 2;
  entry.name = as_text(name);
  return entry.violation ? success() : read_file_digest(entry, 0);
}

bool parses_in(ByteView log, ImaLogForm form) {
  return ImaLogReader(log, form).next().has_value();
}

}  // namespace

std::optional<ByteView> ImaEntry::find(ImaField field) const {
  const auto found = std::ranges::find(all_fields(), field, &ImaFieldValue::field);
  return found == all_fields().end() ? std::nullopt : std::optional(found->value);
}

std::optional<Digest> parse_digest_field(ByteView value) {
  switch (value.size()) {  // no two forms have one size
    case sizeof "sha1:" + hash_size(HashAlg::kSha1):
      return digest_behind("sha1:", HashAlg::kSha1, value);
    case sizeof "sha256:" + hash_size(HashAlg::kSha256):
      return digest_behind("sha256:", HashAlg::kSha256, value);
    case sizeof "sha384:" + hash_size(HashAlg::kSha384):
      return digest_behind("sha384:", HashAlg::kSha384, value);
    case sizeof "sha512:" + hash_size(HashAlg::kSha512):
      return digest_behind("sha512:", HashAlg::kSha512, value);
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

ImaLogForm guess_ima_log_form(ByteView log) {
  for (const ByteOrder order : {ByteOrder::kLittle, ByteOrder::kBig}) {
    for (const HashAlg digests : kAllHashAlgs) {
      if (parses_in(log, {order, digests})) return {order, digests};
    }
  }
  return {};
}

const ResolvedTemplate& ImaLogReader::resolve(const ImaEntry& entry) {
  for (std::size_t i = 0; i < kRemembered; ++i) {
    const std::size_t at = (last_ + i) % kRemembered;
    const Resolved& known = resolved_[at];
    if (known.name != entry.template_name || known.field_count != entry.field_count) continue;
    last_ = at;
    return known.meaning;
  }
  last_ = (last_ + 1) % kRemembered;
  resolved_[last_] = {.name = entry.template_name,
                      .field_count = entry.field_count,
                      .meaning = resolve_template(entry.template_name, entry.field_count)};
  return resolved_[last_].meaning;
}

const ImaLayout* ImaLogReader::remembered(std::string_view template_name) {
  for (std::size_t i = 0; i < kRemembered; ++i) {
    const std::size_t at = (last_ + i) % kRemembered;
    const Resolved& known = resolved_[at];
    if (known.name != template_name || known.meaning.kind != ImaTemplateKind::kKnown) continue;
    last_ = at;
    return &known.meaning.layout;
  }
  return nullptr;
}

Status ImaLogReader::read_fields(ImaEntry& entry) {
  const std::uint32_t data_size = reader_.u32(form_.order);
  if (data_size > kMaxTemplateDataBytes) {
    return fail(FaultId::kImaTooLarge, at(entry.index) + "template data over 1 MiB");
  }
  entry.template_data = reader_.take(data_size);
  if (!reader_.ok()) return fail(FaultId::kImaMalformed, at(entry.index) + "cut short");
  const ImaLayout* expected = remembered(entry.template_name);
  if (expected != nullptr && split_as(*expected, entry, form_.order)) {
    return read_meaning(*expected, entry);
  }
  const bool has_fields = split(entry, form_.order);
  const ResolvedTemplate& resolved = resolve(entry);
  if (resolved.kind == ImaTemplateKind::kForeign) {
    if (!has_fields) entry.field_count = 0;
    return success();
  }
  if (!has_fields || resolved.kind == ImaTemplateKind::kMisfit) {
    return fail(FaultId::kImaMalformed, at(entry.index) + "data is not its template's fields");
  }
  const ImaLayout& layout = resolved.layout;
  for (std::size_t i = 0; i < entry.field_count; ++i) {
    entry.fields[i].field = layout.fields[i].field;
    entry.fields[i].name = layout.fields[i].name;
  }
  return read_meaning(layout, entry);
}

Result<ImaEntry> ImaLogReader::next() {
  ImaEntry entry;
  ASSAY_OK(read(entry));
  return entry;
}

Status ImaLogReader::read(ImaEntry& entry) {
  entry.legacy = false;
  entry.field_count = 0;
  entry.digest_state = FileDigestState::kNoField;
  entry.file_digest.reset();
  entry.name = {};
  entry.index = next_index_;
  entry.order = form_.order;
  const std::uint32_t pcr = reader_.u32(form_.order);
  entry.header_digest = reader_.take(hash_size(form_.digests));
  const std::uint32_t name_size = reader_.u32(form_.order);
  if (reader_.ok() && name_size > kMaxTemplateNameBytes) {
    return fail(FaultId::kImaTooLarge, at(entry.index) + "template name over 256 bytes");
  }
  entry.template_name = as_text(reader_.take(name_size));
  if (!reader_.ok()) return fail(FaultId::kImaMalformed, at(entry.index) + "cut short");
  const auto index = PcrIndex::from(pcr);
  if (!index) return fail(FaultId::kImaMalformed, at(entry.index) + "PCR over 23");
  entry.pcr = *index;
  entry.violation = std::ranges::all_of(entry.header_digest, [](std::uint8_t b) { return b == 0; });
  if (entry.violation) entry.digest_state = FileDigestState::kUnmeasured;
  ASSAY_OK(entry.template_name == kLegacyTemplate ? read_legacy(entry, reader_, form_.order)
                                                  : read_fields(entry));
  ++next_index_;
  return success();
}

}  // namespace assay
