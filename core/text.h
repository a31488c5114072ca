// Bytes made safe for people: file names and other node text at the sinks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay {

// UTF-8 text in which every byte outside printable UTF-8 is `\xNN` and a backslash is `\\`: no
// control character, escape code, line break or invalid sequence is left. Printable are ASCII
// 0x20–0x7e and well-formed sequences from U+00A0 on, but not line and paragraph separators,
// direction overrides, zero-width characters, surrogates or noncharacters (they make one name look
// like another). unescape_bytes() gives the bytes back.
std::string escape_bytes(std::string_view bytes);

// The bytes that escape_bytes() wrote. Text that it cannot have written comes back as it is.
std::string unescape_bytes(std::string_view text);

// Whether all of `text` is printable: escape_bytes() changes none of it but its backslashes.
bool is_printable(std::string_view text);

// At most `size` bytes of `text`, cut between escaped characters, with "…" where something is
// missing.
std::string shorten(std::string_view text, std::size_t size);

// "a b" and its words: each of one or more bytes that are no space.
std::vector<std::string> split_words(std::string_view text);
std::string join_words(const std::vector<std::string>& words);

}  // namespace assay
