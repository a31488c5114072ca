#include "core/text.h"

#include <doctest/doctest.h>

#include <random>

#include "core/bytes.h"

using namespace assay;

TEST_CASE("escape_bytes: what a terminal, a log line or a reader could be misled by is escaped") {
  const std::pair<std::string, std::string> rows[] = {
      {"/usr/bin/bash", "/usr/bin/bash"},
      {"a\\b", "a\\\\b"},
      {"a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"},
      {"\x1b[31mred", "\\x1b[31mred"},
      {std::string("a\0b", 3), "a\\x00b"},
      {"\xff\xfe", "\\xff\\xfe"},
      {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},  // é is printable
      {"\xc2\x9b", "\\xc2\\x9b"},                  // a C1 control
      {"\xe2\x80\xae"
       "gpj",
       "\\xe2\\x80\\xaegpj"},                        // right-to-left override
      {"\xe2\x80\x8b", "\\xe2\\x80\\x8b"},           // zero-width space
      {"\xc0\xaf", "\\xc0\\xaf"},                    // overlong
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // over U+10FFFF
      {"\xe2\x82", "\\xe2\\x82"},                    // cut short
  };
  for (const auto& [bytes, want] : rows) CHECK(escape_bytes(bytes) == want);
}

TEST_CASE("unescape_bytes: gives back what escape_bytes took, for any bytes") {
  std::mt19937 random(7);
  for (int i = 0; i < 5000; ++i) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes)
      c = static_cast<char>(random() % 3 == 0 ? random() : "\\x0a\xc3\xa9/"[random() % 7]);
    const std::string escaped = escape_bytes(bytes);
    CHECK(unescape_bytes(escaped) == bytes);
    CHECK(std::ranges::none_of(
        escaped, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }));
  }
}

TEST_CASE("is_printable: says which text escape_bytes leaves as it is, but for backslashes") {
  for (const std::string good : {"", "a b~", "\xc3\xa9", "\\", "\"", "\\x00"}) {
    CAPTURE(good);
    CHECK(is_printable(good));
  }
  for (const std::string bad : {"a\n", "\x1b[31m", "\x7f", "a\xff", "\xe2\x80\x8b", "\xe2\x82"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_printable(bad));
  }
  CHECK_FALSE(is_printable(std::string_view("a\0", 2)));
}

TEST_CASE("shorten: cuts between escaped characters and says so") {
  CHECK(shorten("abc", 3) == "abc");
  CHECK(shorten("abcdefgh", 6) == "abc…");
  CHECK(shorten("ab\\x0acdef", 8) == "ab…");
  CHECK(shorten("ab\xc3\xa9"
                "defgh",
                6) == "ab…");
}

TEST_CASE("from_hex and to_hex: agree, and refuse everything else") {
  CHECK(from_hex("00fFA1") == Bytes{0, 0xff, 0xa1});
  CHECK(to_hex(Bytes{0, 0xff, 0xa1}) == "00ffa1");
  CHECK(from_hex("")->empty());
  for (const std::string bad : {"0", "0g", "0x", " 00", "00 "})
    CHECK_FALSE(from_hex(bad).has_value());
}

TEST_CASE("from_base64 and to_base64: agree, and refuse everything else") {
  for (std::size_t size = 0; size < 10; ++size) {
    const Bytes bytes(size, 0xe7);
    CHECK(from_base64(to_base64(bytes)) == bytes);
  }
  CHECK(to_base64(as_bytes("any carnal pleas")) == "YW55IGNhcm5hbCBwbGVhcw==");
  for (const std::string bad : {"A", "AAA", "AA=A", "AA A", "AAAA\n", "====", "AA-_"}) {
    CAPTURE(bad);
    CHECK_FALSE(from_base64(bad).has_value());
  }
}

TEST_CASE("ByteReader: the first read past the end ends it for good") {
  const Bytes bytes = {1, 2, 3, 4, 5};
  ByteReader reader(bytes);
  CHECK(reader.u16_le() == 0x0201);
  CHECK(reader.u32_le() == 0);
  CHECK_FALSE(reader.ok());
  CHECK(reader.u8() == 0);
  CHECK(reader.take(0).empty());
  CHECK_FALSE(reader.ok());
}

TEST_CASE("from_base64url: without padding, and one spelling for each value") {
  const std::pair<std::string, std::string> rows[] = {
      {"", ""}, {"Zg", "f"}, {"Zm8", "fo"}, {"Zm9v", "foo"}, {"-_-_", "\xfb\xff\xbf"}};
  for (const auto& [text, bytes] : rows) {
    CAPTURE(text);
    REQUIRE(from_base64url(text).has_value());
    CHECK(as_text(*from_base64url(text)) == bytes);
  }
  for (const std::string& bad : {"Z", "Zg==", "Zh", "Zm9", "Zm9vY", "+/+/", "Zm9v ", "Zm\n9",
                                 "Zg=", "Zm9vZg.", "Z\xc3\xa4"}) {
    CAPTURE(bad);
    CHECK_FALSE(from_base64url(bad).has_value());
  }
  CHECK_FALSE(from_base64url(std::string_view("Zg\0", 3)).has_value());
}
