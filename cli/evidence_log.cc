#include "cli/evidence_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "cli/fault_row.h"
#include "core/buffer/measured_buffer.h"
#include "core/text.h"
#include "golden/posix.h"

namespace assay {
namespace {

// A record is at most 1 MiB and its header: with so much in the window, or all of the file, a record
// that does not parse is not merely cut by the window's end.
constexpr std::size_t kRecordBytes = std::size_t{2} << 20;
constexpr std::size_t kWindowBytes = 2 * kRecordBytes;
constexpr std::size_t kMaxValueBytes = 256;  // of one field, as it is shown

tl::unexpected<Fault> unreadable(const std::string& path) {
  return fail(FaultId::kFileUnreadable, escape_bytes(path) + ": " + errno_text());
}

// The part of a file that is being looked at.
class Window {
 public:
  Window(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  ByteView bytes() const { return ByteView(buffer_).first(used_); }
  bool at_end_of_file() const { return ended_; }

  Status fill() {
    while (!ended_ && used_ < buffer_.size()) {
      const ssize_t size = ::read(fd_.get(), buffer_.data() + used_, buffer_.size() - used_);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return unreadable(path_);
      ended_ = size == 0;
      used_ += static_cast<std::size_t>(size);
    }
    return {};
  }

  void drop(std::size_t size) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(size),
              buffer_.begin() + static_cast<std::ptrdiff_t>(used_), buffer_.begin());
    used_ -= size;
  }

 private:
  Fd fd_;
  std::string path_;
  Bytes buffer_ = Bytes(kWindowBytes);
  std::size_t used_ = 0;
  bool ended_ = false;
};

Result<Window> open_log(std::string path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) path += "/ima.log";
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return unreadable(path);
  return Window(std::move(fd), std::move(path));
}

Status print_entries(Window& window, Format format) {
  std::uint64_t index = 0;
  ASSAY_OK(window.fill());
  const ImaLogForm form = guess_ima_log_form(window.bytes());
  while (true) {
    ASSAY_OK(window.fill());
    if (window.bytes().empty()) return {};
    ImaLogReader reader(window.bytes(), form, index);
    while (!reader.at_end() &&
           (window.at_end_of_file() || window.bytes().size() - reader.offset() >= kRecordBytes)) {
      ASSAY_TRY(const ImaEntry entry, reader.next());
      print(format == Format::kJson ? format_entry_json(entry) : format_entry(entry));
    }
    index = reader.next_index();
    window.drop(reader.offset());
  }
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
  Result<Window> window = open_log(path);
  if (!window) return complain(window.error());
  const Status printed = print_entries(*window, format);
  if (printed) return Exit::kOk;
  const Fault fault = with_subject(printed.error(), path);
  return fault_class(fault.id) == FaultClass::kInvalid
             ? complain(Exit::kInvalid, format_fault(fault))
             : complain(fault);
}

}  // namespace assay
