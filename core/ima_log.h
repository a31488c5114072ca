// The kernel's IMA measurement log as bytes become records. Nothing here is proven yet:
// replay_ima_log() ties records to a TPM.
//
// Format: Linux security/integrity/ima/ima_fs.c ima_measurements_show(), ima_template.c,
// ima_template_lib.c; docs/ima-log.md has the table.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/bytes.h"
#include "core/digest.h"
#include "core/pcr.h"
#include "core/result.h"

namespace assay {

// A template field. The kernel's spelling is in ima_log.cc.
enum class ImaField : std::uint8_t {
  kD,
  kDNg,
  kDNgV2,
  kN,
  kNNg,
  kSig,
  kBuf,
  kDModsig,
  kModsig,
  kEvmSig,
  kXattrNames,
  kXattrLengths,
  kXattrValues,
  kIuid,
  kIgid,
  kImode,
};

inline constexpr std::size_t kMaxImaFields = 15;  // Linux ima_template.c TEMPLATE_NUM_FIELDS_MAX

struct ImaFieldValue {
  ImaField field;
  ByteView value;
};

// One record. All views borrow from the log that was parsed.
struct ImaEntry {
  std::uint64_t index = 0;  // from 0, the first entry of the boot
  PcrIndex pcr = kImaPcr;
  std::string_view template_name;  // as recorded; the format string of an unnamed template
  ByteView header_digest;          // 20 bytes: SHA-1 of the template data; zero for a violation
  ByteView template_data;          // what the template digest is taken of (but see `legacy`)
  bool legacy = false;             // template "ima": fields have no lengths in what is hashed
  bool violation = false;          // the kernel could not measure; only the fact is authenticated

  std::array<ImaFieldValue, kMaxImaFields> fields;
  std::size_t field_count = 0;

  std::optional<Digest> file_digest;  // nothing: a violation, or an algorithm we do not know
  std::string_view name;              // path or buffer name: raw bytes, a label, never an identity

  // The value of the first such field, or nothing.
  std::optional<ByteView> find(ImaField field) const;
};

// The digest that the kernel extends for `entry` into a PCR of hasher's bank: 0xff bytes for a
// violation.
Digest template_digest(const ImaEntry& entry, Hasher& hasher);

// Reads a log record by record without copying or allocating. Not safe to share between threads.
class ImaLogReader {
 public:
  // `log` starts with entry number `first_entry` and is borrowed for as long as entries are used.
  explicit ImaLogReader(ByteView log, std::uint64_t first_entry = 0)
      : reader_(log), next_index_(first_entry) {}

  bool at_end() const { return reader_.at_end(); }
  std::size_t offset() const { return reader_.offset(); }  // bytes of `log` behind us
  std::uint64_t next_index() const { return next_index_; }

  // The next record; not at_end(). After a fault the reader is at no record boundary: stop.
  //
  // Fails with
  //   kImaTooLarge         template name over 256 bytes or template data over 1 MiB
  //   kImaMalformed        cut short; PCR over 23; fields that are not exactly the template's; a
  //                        digest of a wrong length; a name without its NUL
  //   kImaUnknownTemplate  neither a built-in template nor a format string of known fields
  Result<ImaEntry> next();

 private:
  ByteReader reader_;
  std::uint64_t next_index_;
};

}  // namespace assay
