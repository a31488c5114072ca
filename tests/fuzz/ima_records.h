// A measurement log as a list of records that can be taken apart and put together again. It is read
// leniently and by code of its own, so that what core/ima_log makes of a log can be held against it.
//
// Format: Linux security/integrity/ima/ima_fs.c ima_measurements_show(); docs/ima-log.md.
#pragma once

#include <vector>

#include "core/ima_log.h"

namespace assay::testing {

struct ImaRecord {
  std::uint32_t pcr = 0;
  Bytes header_digest;
  Bytes name;
  Bytes data;  // as the log has it, without the length over it all

  bool legacy() const;     // template "ima", which has no such length
  bool violation() const;  // its digest is zero
};

// The records of `log` up to one that is cut short, `most` at most.
std::vector<ImaRecord> read_records(ByteView log, ImaLogForm form, std::size_t most);

void write_record(const ImaRecord& record, ImaLogForm form, Bytes& out);

// What a template digest is taken of.
Bytes hashed_bytes(const ImaRecord& record, ByteOrder order);

// The data's fields; nothing when they are not exactly the data.
std::optional<std::vector<Bytes>> split_fields(const ImaRecord& record, ByteOrder order);

// Makes `fields` the record's data. A legacy record takes two, the first of which has no length.
void join_fields(ImaRecord& record, const std::vector<Bytes>& fields, ByteOrder order);

void append_u32(Bytes& out, std::uint32_t value, ByteOrder order);

}  // namespace assay::testing
