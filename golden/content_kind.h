// What a file is, as far as its first bytes say.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/bytes.h"

namespace assay {

enum class ContentKind : std::uint8_t {
  kUnknown,  // neither of these, or nobody looked
  kElf,      // a program, library or module: "\x7f" "ELF" (System V ABI, chapter 4, e_ident)
  kScript,   // "#!" (Linux fs/binfmt_script.c)
};

// "elf" or "script", our own spelling; empty for kUnknown.
std::string_view content_kind_name(ContentKind kind);

// The kind of that name. Nothing for any other text, and for "".
std::optional<ContentKind> parse_content_kind(std::string_view name);

// Tells a file's kind while its bytes go by, in pieces of any size. For one thread.
class ContentKindReader {
 public:
  void start() { used_ = 0; }
  void add(ByteView part);
  ContentKind finish() const;

 private:
  std::array<std::uint8_t, 4> first_ = {};
  std::size_t used_ = 0;  // of first_
};

}  // namespace assay
