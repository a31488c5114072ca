#include "golden/content_kind.h"

#include <doctest/doctest.h>

#include <string>

using namespace assay;

namespace {

ContentKind kind_of(std::string_view content, std::size_t piece) {
  ContentKindReader reader;
  reader.start();
  for (std::size_t at = 0; at < content.size(); at += piece) {
    reader.add(as_bytes(content.substr(at, piece)));
  }
  return reader.finish();
}

}  // namespace

TEST_CASE("ContentKindReader: the first bytes say it, however they arrive") {
  const std::pair<std::string, ContentKind> rows[] = {
      {"\x7f"
       "ELF\x02\x01\x01",
       ContentKind::kElf},
      {"\x7f"
       "ELF",
       ContentKind::kElf},
      {"#!/bin/sh\n", ContentKind::kScript},
      {"#!", ContentKind::kScript},
      {"", ContentKind::kUnknown},
      {"#", ContentKind::kUnknown},
      {"# !", ContentKind::kUnknown},
      {" #!/bin/sh", ContentKind::kUnknown},
      {"\x7f"
       "EL",
       ContentKind::kUnknown},
      {"\x7f"
       "ELG",
       ContentKind::kUnknown},
      {"x\x7f"
       "ELF",
       ContentKind::kUnknown},
  };
  for (const auto& [content, want] : rows) {
    CAPTURE(content);
    for (const std::size_t piece : {1, 2, 3, 100}) CHECK(kind_of(content, piece) == want);
  }
}

TEST_CASE("ContentKindReader: one file's bytes say nothing of the next") {
  ContentKindReader reader;
  reader.start();
  reader.add(as_bytes("#!"));
  reader.start();
  CHECK(reader.finish() == ContentKind::kUnknown);
  reader.add(as_bytes("!"));
  CHECK(reader.finish() == ContentKind::kUnknown);
}

TEST_CASE("parse_content_kind: reads what content_kind_name says, and nothing else") {
  for (const ContentKind kind : {ContentKind::kElf, ContentKind::kScript}) {
    CHECK(parse_content_kind(content_kind_name(kind)) == kind);
  }
  for (const char* name : {"", "ELF", "elf ", "unknown"}) CHECK_FALSE(parse_content_kind(name));
}
