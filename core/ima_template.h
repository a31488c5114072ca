// IMA templates: which fields an entry's data holds, by the name that the log records.
//
// Format: Linux security/integrity/ima/ima_template.c builtin_templates[], supported_fields[] and
// lookup_template_desc(); the out-of-tree ones are listed in docs/ima-log.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace assay {

// A template field. The kernel's spelling is in ima_template.cc.
enum class ImaField : std::uint8_t {
  kUnknown,  // carried and shown; its bytes mean nothing here
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
  kDep,     // out of tree: executables from the process to its first ancestor
  kCgn,     // out of tree: the process's cgroup, its last part only
  kCgPath,  // out of tree: that cgroup's whole path
  kNs,      // out of tree: namespace id: 16 raw bytes, a hex number or a label
};

inline constexpr std::size_t kMaxImaFields = 15;  // Linux ima_template.c TEMPLATE_NUM_FIELDS_MAX

struct ImaFieldId {
  ImaField field = ImaField::kUnknown;
  std::string_view name;  // as the format spells it
};

// The fields of a template, in order.
struct ImaLayout {
  std::array<ImaFieldId, kMaxImaFields> fields;
  std::size_t count = 0;
  // Where the file's digest is: the first field that says its algorithm, else a `d` that is the first
  // field of all. A `d` says nothing of itself: behind others, a name could point it at any 20 bytes.
  std::optional<std::size_t> digest;
  std::optional<std::size_t> name;  // the last field that is one
};

// How a name resolves when an entry of it has so many fields.
enum class ImaTemplateKind : std::uint8_t {
  kKnown,    // a template that the kernel or a known patch has, or a format string
  kMisfit,   // likewise, but none of that name has so many fields
  kForeign,  // neither: nothing says what its fields are
};

struct ResolvedTemplate {
  ImaTemplateKind kind = ImaTemplateKind::kForeign;
  ImaLayout layout;  // of a known one; its names borrow from `name` or are static
};

// The template that `name` stands for in an entry of `field_count` fields. Names that several
// patches use for layouts of their own ("ima-ns") are told apart by the number of fields. Any other
// name is a format string, as the kernel takes it, when it has a '|' or is a known field by itself;
// fields that are not known are ImaField::kUnknown. Total, pure, no allocation.
ResolvedTemplate resolve_template(std::string_view name, std::size_t field_count);

}  // namespace assay
