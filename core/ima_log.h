// The kernel's IMA measurement log as bytes become records. Nothing here is proven yet:
// replay_ima_log() ties records to a TPM.
//
// Format: Linux security/integrity/ima/ima_fs.c ima_measurements_show(), ima_template.c,
// ima_template_lib.c; docs/ima-log.md has the tables.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/bytes.h"
#include "core/digest.h"
#include "core/ima_template.h"
#include "core/pcr.h"
#include "core/result.h"

namespace assay {

// How a log is written: what the kernel that wrote it and the file it was read from decide. A claim
// of the node, which a replay confirms: in another form, other bytes would be hashed.
struct ImaLogForm {
  // Of every integer, those inside template data too: the CPU's, or little with ima_canonical_fmt.
  ByteOrder order = ByteOrder::kLittle;
  // Of the template digest in each record: SHA-1 in binary_runtime_measurements, another one in
  // binary_runtime_measurements_<algo> (Linux 6.10).
  HashAlg digests = HashAlg::kSha1;

  friend bool operator==(const ImaLogForm&, const ImaLogForm&) = default;
};

// The form in which the first record of `log` parses, little-endian and SHA-1 first; the default
// one when it parses in none or there is no record.
ImaLogForm guess_ima_log_form(ByteView log);

struct ImaFieldValue {
  ImaField field = ImaField::kUnknown;
  std::string_view name;  // as the format spells it; empty in a template nobody knows
  ByteView value;
};

// What a file's digest is taken of.
enum class FileDigestKind : std::uint8_t {
  kFile,    // its bytes
  kVerity,  // its fs-verity descriptor, which holds the root of its Merkle tree
};

// What an entry says of the file's digest.
enum class FileDigestState : std::uint8_t {
  kNoField,      // a template nobody knows, or one without a digest
  kKnown,        // `file_digest` is it
  kUnmeasured,   // a violation
  kUnsupported,  // of an algorithm that is not known
  // The data has a digest before the one that the template points at. The data is what a TPM
  // proves, the template's name is not: renaming a record must not give it another digest.
  kContradicted,
};

// One record. All views borrow from the log that was parsed.
struct ImaEntry {
  std::uint64_t index = 0;               // from 0, the first entry of the boot
  ByteOrder order = ByteOrder::kLittle;  // of numbers in the fields
  PcrIndex pcr = kImaPcr;
  std::string_view template_name;  // as recorded; the format string of an unnamed template
  ByteView header_digest;  // of the template data, as the log's form says; zero: a violation
  ByteView template_data;  // what the template digest is taken of (but see `legacy`)
  bool legacy = false;     // template "ima": fields have no lengths in what is hashed
  bool violation = false;  // the kernel could not measure; only the fact is authenticated

  std::array<ImaFieldValue, kMaxImaFields> fields;
  std::size_t field_count = 0;

  FileDigestState digest_state = FileDigestState::kNoField;
  std::optional<Digest> file_digest;  // there when kKnown
  FileDigestKind digest_kind = FileDigestKind::kFile;
  std::string_view name;  // path or buffer name: raw bytes, a label, never an identity

  std::span<const ImaFieldValue> all_fields() const { return {fields.data(), field_count}; }
  // The value of the first such field, or nothing.
  std::optional<ByteView> find(ImaField field) const;
};

// The digest that the kernel extends for `entry` into a PCR of hasher's bank: 0xff bytes for a
// violation.
Digest template_digest(const ImaEntry& entry, Hasher& hasher);

// The digest in a field `d-ng` or `d-modsig`, untrusted: "sha256:", a NUL, and so many bytes. Nothing
// when it is anything else, or of an algorithm that is not known. Total and pure.
std::optional<Digest> parse_digest_field(ByteView value);

// Reads a log record by record without copying or allocating. Not safe to share between threads.
class ImaLogReader {
 public:
  // `log` starts with entry number `first_entry` and is borrowed for as long as entries are used.
  explicit ImaLogReader(ByteView log, ImaLogForm form = {}, std::uint64_t first_entry = 0)
      : reader_(log), form_(form), next_index_(first_entry) {}

  bool at_end() const { return reader_.at_end(); }
  std::size_t offset() const { return reader_.offset(); }  // bytes of `log` behind us
  std::uint64_t next_index() const { return next_index_; }

  // The next record; not at_end(). After a fault the reader is at no record boundary: stop. A
  // template that nobody knows is no fault here: its data is proven like any other, and its fields
  // are split when they can be.
  //
  // Fails with
  //   kImaTooLarge   template name over 256 bytes or template data over 1 MiB
  //   kImaMalformed  cut short; PCR over 23; fields that are not exactly the template's; a digest of
  //                  a wrong length; a name without its NUL
  Result<ImaEntry> next();

  // The same into `entry`, whatever it held: for loops over long logs.
  Status read(ImaEntry& entry);

 private:
  // What a template name has meant before. A new one means nothing, as no name with no fields does.
  struct Resolved {
    std::string_view name;
    std::size_t field_count = 0;
    ResolvedTemplate meaning;
  };

  // Logs alternate between few: files', buffers', and what a rule asks for by name.
  static constexpr std::size_t kRemembered = 4;

  Status read_fields(ImaEntry& entry);
  const ResolvedTemplate& resolve(const ImaEntry& entry);
  // The layout that an entry of this template had before, and likely has again; null: none.
  const ImaLayout* remembered(std::string_view template_name);

  ByteReader reader_;
  ImaLogForm form_;
  std::uint64_t next_index_;
  std::array<Resolved, kRemembered> resolved_;
  std::size_t last_ = 0;  // in resolved_: what was found last
};

}  // namespace assay
