#include "core/text.h"

#include <algorithm>
#include <cstdint>

#include "core/bytes.h"

namespace assay {
namespace {

struct Utf8 {
  std::uint32_t code_point;
  std::size_t size;  // 0: not a well-formed sequence
};

// The well-formed sequence at the start of `in` (Unicode 15, table 3-7: no overlong forms, no
// surrogates, nothing over U+10FFFF).
Utf8 decode_utf8(std::string_view in) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(in[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || in.size() < size) return {0, 0};
  std::uint32_t code_point = lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {0, 0};
    code_point = code_point << 6 | (byte(i) & 0x3fU);
  }
  static constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code_point < kSmallest[size] || code_point > 0x10ffff) return {0, 0};
  if (code_point >= 0xd800 && code_point <= 0xdfff) return {0, 0};
  return {code_point, size};
}

bool printable(std::uint32_t c) {
  if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return false;
  if (c == 0xad || c == 0x61c || c == 0x180e || c == 0xfeff) return false;
  if (c >= 0x200b && c <= 0x200f) return false;  // zero width, direction marks
  if (c >= 0x2028 && c <= 0x202e) return false;  // separators, direction overrides
  if (c >= 0x2060 && c <= 0x206f) return false;  // invisible operators, isolates
  if (c >= 0xfff9 && c <= 0xfffb) return false;
  if (c >= 0xe0000 && c <= 0xe0fff) return false;  // tags, variation selectors
  return (c & 0xfffe) != 0xfffe && !(c >= 0xfdd0 && c <= 0xfdef);
}

// Bytes that the escaped character at the start of `text` takes: `\xNN`, `\\`, or one UTF-8
// sequence.
std::size_t escaped_size(std::string_view text) {
  if (text[0] == '\\')
    return std::min<std::size_t>(text.size(), text.size() > 1 && text[1] == 'x' ? 4 : 2);
  return std::max<std::size_t>(decode_utf8(text).size, 1);
}

}  // namespace

std::string escape_bytes(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size();) {
    const Utf8 c = decode_utf8(bytes.substr(i));
    if (c.size == 0 || !printable(c.code_point)) {
      const std::size_t size = std::max<std::size_t>(c.size, 1);
      for (std::size_t k = 0; k < size; ++k) {
        out += "\\x" + to_hex(as_bytes(bytes.substr(i + k, 1)));
      }
      i += size;
    } else {
      if (c.code_point == '\\') out.push_back('\\');
      out.append(bytes.substr(i, c.size));
      i += c.size;
    }
  }
  return out;
}

std::string unescape_bytes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    if (text.substr(i, 2) == "\\\\") {
      out.push_back('\\');
      i += 2;
      continue;
    }
    const auto byte = text.substr(i, 2) == "\\x" ? from_hex(text.substr(i + 2, 2)) : std::nullopt;
    if (byte && byte->size() == 1) {
      out.append(as_text(*byte));
      i += 4;
    } else {
      out.push_back(text[i++]);
    }
  }
  return out;
}

bool is_printable(std::string_view text) {
  while (!text.empty()) {
    const Utf8 c = decode_utf8(text);
    if (c.size == 0 || !printable(c.code_point)) return false;
    text.remove_prefix(c.size);
  }
  return true;
}

std::string shorten(std::string_view text, std::size_t size) {
  if (text.size() <= size) return std::string(text);
  static constexpr std::string_view kEllipsis = "…";
  const std::size_t room = size < kEllipsis.size() ? 0 : size - kEllipsis.size();
  std::size_t end = 0;
  while (end < room && end + escaped_size(text.substr(end)) <= room) {
    end += escaped_size(text.substr(end));
  }
  return std::string(text.substr(0, end)) + std::string(kEllipsis);
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) words.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::string join_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text;
}

}  // namespace assay
