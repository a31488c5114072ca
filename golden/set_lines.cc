#include "golden/set_lines.h"

#include <optional>

#include "core/text.h"

namespace assay {
namespace {

template <typename Number>
void append_known(std::string& out, std::string_view name, std::optional<Number> number) {
  if (!number) return;
  out.push_back(',');
  append_quoted(out, name);
  out += ':' + std::to_string(*number);
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  // Of what is printable only these two need a backslash (RFC 8259, section 7).
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  append_quoted(out, name);
  out.push_back(':');
  append_quoted(out, text);
}

std::string format_line(const GoldenFile& file) {
  std::string out = "{";
  append_member(out, "path", escape_bytes(file.path));
  for (const Digest& digest : file.digests) {
    out.push_back(',');
    append_member(out, hash_name(digest.alg()), to_hex(digest.bytes()));
  }
  out += ",\"size\":" + std::to_string(file.size) + ',';
  append_member(out, "mode", format_mode(file.mode));
  append_known(out, "uid", file.uid);
  append_known(out, "gid", file.gid);
  if (file.kind != ContentKind::kUnknown) {
    out.push_back(',');
    append_member(out, "kind", content_kind_name(file.kind));
  }
  append_known(out, "layer", file.layer);
  out.push_back('}');
  return out;
}

std::string format_line(const GoldenSigner& signer) {
  std::string out = "{";
  append_member(out, "name", escape_bytes(signer.name));
  out.push_back(',');
  append_member(out, "key", to_hex(signer.key.encoded()));
  out.push_back('}');
  return out;
}

void ContentDigest::add(std::string_view line) {
  hasher_.add(as_bytes(line));
  hasher_.add(as_bytes("\n"));
}

std::string ContentDigest::hex() && {
  return to_hex(hasher_.finish().bytes());
}

}  // namespace assay
