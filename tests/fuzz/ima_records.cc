#include "tests/fuzz/ima_records.h"

#include <algorithm>

namespace assay::testing {
namespace {

constexpr std::size_t kLegacyDigestBytes = 20;
constexpr std::size_t kLegacyNameBytes = 256;

void append(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

Bytes copy(ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

Bytes read_legacy_data(ByteReader& reader, ByteOrder order) {
  const ByteView whole = reader.rest();
  reader.take(kLegacyDigestBytes);
  const std::uint32_t size = reader.u32(order);
  reader.take(size);
  return reader.ok() ? copy(whole.first(kLegacyDigestBytes + 4 + size)) : Bytes{};
}

}  // namespace

bool ImaRecord::legacy() const {
  return as_text(name) == "ima";
}

bool ImaRecord::violation() const {
  return std::ranges::count(header_digest, 0) == std::ssize(header_digest);
}

std::vector<ImaRecord> read_records(ByteView log, ImaLogForm form, std::size_t most) {
  std::vector<ImaRecord> out;
  ByteReader reader(log);
  while (!reader.at_end() && out.size() < most) {
    ImaRecord record;
    record.pcr = reader.u32(form.order);
    record.header_digest = copy(reader.take(hash_size(form.digests)));
    record.name = copy(reader.take(reader.u32(form.order)));
    record.data = record.legacy() ? read_legacy_data(reader, form.order)
                                  : copy(reader.take(reader.u32(form.order)));
    if (!reader.ok()) break;
    out.push_back(std::move(record));
  }
  return out;
}

void append_u32(Bytes& out, std::uint32_t value, ByteOrder order) {
  for (std::uint32_t i = 0; i < 4; ++i) {
    const std::uint32_t shift = 8 * (order == ByteOrder::kLittle ? i : 3 - i);
    out.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

void write_record(const ImaRecord& record, ImaLogForm form, Bytes& out) {
  append_u32(out, record.pcr, form.order);
  append(out, record.header_digest);
  append_u32(out, static_cast<std::uint32_t>(record.name.size()), form.order);
  append(out, record.name);
  if (!record.legacy()) {
    append_u32(out, static_cast<std::uint32_t>(record.data.size()), form.order);
  }
  append(out, record.data);
}

Bytes hashed_bytes(const ImaRecord& record, ByteOrder order) {
  const auto fields = record.legacy() ? split_fields(record, order) : std::nullopt;
  if (!fields) return record.data;
  Bytes out = (*fields)[0];
  append(out, (*fields)[1]);
  out.resize(std::max(out.size(), kLegacyDigestBytes + kLegacyNameBytes));
  return out;
}

std::optional<std::vector<Bytes>> split_fields(const ImaRecord& record, ByteOrder order) {
  std::vector<Bytes> out;
  ByteReader reader(record.data);
  if (record.legacy()) out.push_back(copy(reader.take(kLegacyDigestBytes)));
  while (!reader.at_end()) out.push_back(copy(reader.take(reader.u32(order))));
  if (!reader.ok() || (record.legacy() && out.size() != 2)) return std::nullopt;
  return out;
}

void join_fields(ImaRecord& record, const std::vector<Bytes>& fields, ByteOrder order) {
  record.data.clear();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0 || !record.legacy()) {
      append_u32(record.data, static_cast<std::uint32_t>(fields[i].size()), order);
    }
    append(record.data, fields[i]);
  }
}

}  // namespace assay::testing
