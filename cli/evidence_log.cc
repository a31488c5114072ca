#include "cli/evidence_log.h"

#include <algorithm>
#include <filesystem>

#include "cli/fault_row.h"
#include "cli/files.h"
#include "core/buffer/measured_buffer.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr std::size_t kMaxLogBytes = std::size_t{1} << 30;
constexpr std::size_t kMaxValueBytes = 256;  // of one field, as it is shown

Result<Spool> read_log(std::string path) {
  std::error_code missing;
  if (std::filesystem::is_directory(path, missing)) path += "/ima.log";
  return read_large_file(path, {.max_bytes = kMaxLogBytes, .too_large = FaultId::kImaTooLarge});
}

Status print_entries(ByteView log, Format format) {
  ImaEntry entry;
  for (ImaLogReader reader(log, guess_ima_log_form(log)); !reader.at_end();) {
    ASSAY_OK(reader.read(entry));
    print(format == Format::kJson ? format_entry_json(entry) : format_entry(entry));
  }
  return {};
}

// What an entry says besides its name, or nothing.
std::string words_of(const ImaEntry& entry) {
  if (entry.violation) return "violation: not measured, and the name is not authenticated";
  if (entry.digest_state == FileDigestState::kContradicted) {
    return "the template points at another digest than the data";
  }
  const auto buffer = measured_buffer(entry);
  std::string out = buffer ? describe(*buffer) : "";
  if (contradicts_buffer(entry)) out += " (the entry's digest is of something else)";
  return out;
}

bool is_text(ImaField field) {
  return field == ImaField::kDep || field == ImaField::kCgn || field == ImaField::kCgPath;
}

// Digest, name and buffer are shown as what they are.
bool is_shown_apart(ImaField field) {
  return field == ImaField::kD || field == ImaField::kDNg || field == ImaField::kDNgV2 ||
         field == ImaField::kN || field == ImaField::kNNg || field == ImaField::kBuf;
}

// A field's value: text where it is known to be some, else hex.
std::string value_of(const ImaFieldValue& field) {
  if (!is_text(field.field)) return shorten(to_hex(field.value), kMaxValueBytes);
  std::string_view text = as_text(field.value);
  if (text.ends_with('\0')) text.remove_suffix(1);
  return shorten(escape_bytes(text), kMaxValueBytes);
}

std::string name_of(const ImaFieldValue& field) {
  return field.name.empty() ? "?" : escape_bytes(field.name);
}

// "cg-path=/kubepods.slice nope=0102": what is neither shown apart nor empty.
std::string fields_of(const ImaEntry& entry) {
  std::string out;
  for (const ImaFieldValue& field : entry.all_fields()) {
    if (is_shown_apart(field.field) || field.value.empty()) continue;
    out += "  " + name_of(field) + '=' + value_of(field);
  }
  return out;
}

std::string padded(std::string text, std::size_t columns) {
  text.resize(std::max(text.size(), columns), ' ');
  return text;
}

}  // namespace

std::string format_entry(const ImaEntry& entry) {
  const std::string words = words_of(entry);
  return padded(std::to_string(entry.index), 6) + ' ' +
         padded(std::to_string(entry.pcr.value()), 2) + ' ' +
         padded(escape_bytes(entry.template_name), 8) + ' ' +
         (entry.file_digest ? format_digest(*entry.file_digest) : "-") + ' ' +
         escape_bytes(entry.name) + (words.empty() ? "" : "  " + words) + fields_of(entry) + '\n';
}

std::string format_entry_json(const ImaEntry& entry) {
  const std::string words = words_of(entry);
  nlohmann::ordered_json out;
  out["entry"] = entry.index;
  out["pcr"] = entry.pcr.value();
  out["template"] = escape_bytes(entry.template_name);
  out["violation"] = entry.violation;
  out["digest"] = nullptr;
  if (entry.file_digest) out["digest"] = format_digest(*entry.file_digest);
  out["path"] = escape_bytes(entry.name);
  out["words"] = nullptr;
  if (!words.empty()) out["words"] = words;
  out["fields"] = nlohmann::ordered_json::array();
  for (const ImaFieldValue& field : entry.all_fields()) {
    if (is_shown_apart(field.field)) continue;
    out["fields"].push_back({{"name", name_of(field)}, {"value", value_of(field)}});
  }
  return format_json(out);
}

Exit print_log(const std::string& path, Format format) {
  const Result<Spool> spool = read_log(path);
  if (!spool) return complain(spool.error());
  const Result<ByteView> log = spool->view();
  if (!log) return complain(log.error());
  const Status printed = print_entries(*log, format);
  return printed ? Exit::kOk
                 : complain(Exit::kInvalid, format_fault(with_subject(printed.error(), path)));
}

}  // namespace assay
