// The lines of a set file that its subject digest is of: the reader takes the digest of what it has
// read over them, and the writer writes them.
#pragma once

#include <string>
#include <string_view>

#include "core/digest.h"
#include "golden/set_file.h"

namespace assay {

// Appends `text`, which is printable, as a JSON string.
void append_quoted(std::string& out, std::string_view text);

// Appends `"name":"text"`, both printable.
void append_member(std::string& out, std::string_view name, std::string_view text);

// One file, or one signer, as it stands in a set file: an object without a comma or newline behind it.
std::string format_line(const GoldenFile& file);
std::string format_line(const GoldenSigner& signer);

// SHA-256 over every file's and then every signer's line, each ended by a newline.
class ContentDigest {
 public:
  ContentDigest() { hasher_.start(); }
  void add(std::string_view line);
  std::string hex() &&;

 private:
  Hasher hasher_{HashAlg::kSha256};
};

}  // namespace assay
