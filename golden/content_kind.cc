#include "golden/content_kind.h"

#include <algorithm>

namespace assay {
namespace {

constexpr std::string_view kElfMagic =
    "\x7f"
    "ELF";
constexpr std::string_view kScriptMagic = "#!";

}  // namespace

std::string_view content_kind_name(ContentKind kind) {
  switch (kind) {
    case ContentKind::kUnknown:
      return "";
    case ContentKind::kElf:
      return "elf";
    case ContentKind::kScript:
      return "script";
  }
  return "";
}

std::optional<ContentKind> parse_content_kind(std::string_view name) {
  for (const ContentKind kind : {ContentKind::kElf, ContentKind::kScript}) {
    if (content_kind_name(kind) == name) return kind;
  }
  return std::nullopt;
}

void ContentKindReader::add(ByteView part) {
  const std::size_t taken = std::min(part.size(), first_.size() - used_);
  std::copy_n(part.begin(), taken, first_.begin() + static_cast<std::ptrdiff_t>(used_));
  used_ += taken;
}

ContentKind ContentKindReader::finish() const {
  const std::string_view seen = as_text(ByteView(first_).first(used_));
  if (seen.starts_with(kElfMagic)) return ContentKind::kElf;
  if (seen.starts_with(kScriptMagic)) return ContentKind::kScript;
  return ContentKind::kUnknown;
}

}  // namespace assay
